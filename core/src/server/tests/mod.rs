//! The session manager against scripted peers, in virtual time.

mod determinism;
mod edges;
mod harness;
mod heartbeats;
mod laws;
mod ledger;
mod limits;
mod memory;
mod peer;
mod ticket;

mod admission;
mod attacks;
mod broadcast;
mod budgets;
mod capacity;
mod contested;
mod drain;
mod gate;
mod key_switch;
mod latest;
mod login;
mod moving_port;
mod moving_port_attacks;
mod pool;
mod prefix_bans;
mod random_walk;
mod scenarios;
mod time;
mod way_back;
mod way_back_attacks;
mod work;
