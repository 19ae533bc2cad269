mod bandwidth;
mod congestion;
mod lanes;
mod latest;
mod recovery;
mod rules;
mod statistics;
mod world;
