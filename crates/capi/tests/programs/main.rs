//! C programs around the library: those of earlier releases, and those that find it where `make install` put it.

#[cfg(test)]
mod cpp;
#[cfg(test)]
mod cross;
#[cfg(test)]
mod install;
#[cfg(test)]
mod old;
#[cfg(test)]
mod prefix;
#[cfg(test)]
mod tools;
