mod bandwidth;
mod congestion;
mod lanes;
mod recovery;
mod rules;
mod statistics;
mod world;
