mod recovery;
mod rules;
mod world;
