//! The real server and real clients on a network in memory, in virtual time.

#[path = "world/adversary.rs"]
mod adversary;
#[path = "world/change_of_network.rs"]
mod change_of_network;
#[path = "world/clock.rs"]
mod clock;
#[path = "world/continuity.rs"]
mod continuity;
#[path = "world/everything.rs"]
mod everything;
#[path = "world/game.rs"]
mod game;
#[path = "world/holders.rs"]
mod holders;
#[path = "world/independence.rs"]
mod independence;
#[path = "world/lanes.rs"]
mod lanes;
#[path = "world/movement.rs"]
mod movement;
#[path = "world/moving_port.rs"]
mod moving_port;
#[path = "world/specification.rs"]
mod specification;
