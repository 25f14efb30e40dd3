//! The sandbox's API server as kube's own client and plain HTTP see it. Controllers play no part here.

#[cfg(test)]
mod apply;
#[cfg(test)]
mod discovery;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod objects;
#[cfg(test)]
mod over_http;
#[cfg(test)]
mod owners;
#[cfg(test)]
mod reads;
#[cfg(test)]
mod reviews;
#[cfg(test)]
mod strategic;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tables;
#[cfg(test)]
mod versions;
#[cfg(test)]
mod writes;
