//! The library as C sees it: every call goes through the exported functions.

#![expect(unsafe_code, reason = "the tests stand in for a C program, and count what is allocated")]

#[cfg(test)]
mod controlling;
#[cfg(test)]
mod counting;
#[cfg(test)]
mod library;
#[cfg(test)]
#[path = "../../../runtime/tests/support/mod.rs"]
mod support;

#[cfg(test)]
mod abi;
#[cfg(test)]
mod loading;
#[cfg(test)]
mod novelty;
#[cfg(test)]
mod stepping;
#[cfg(test)]
mod teams;
