//! The world against recordings of the original, and what holds in every battle.

mod battle;
mod chance;
mod golden;
mod recording;
