//! Where a request may go whose address somebody typed in: not to this machine, not into its network, unless the operator says so.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use serde::{Deserialize, Serialize};

/// Private targets that the operator allows: `[server] allow_private_targets`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrivateTargets {
    #[default]
    None,
    /// The operator's own network is no stranger.
    All,
    These(Vec<Target>),
}

/// One allowed private target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// A network, by an address in it and the length of its prefix in bits; a single address has all of them.
    Network(IpAddr, u8),
    /// A host's name, whatever addresses it has.
    Host(String),
}

/// The text is no host, address or network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no host, address or network")]
pub struct BadTarget;

impl FromStr for Target {
    type Err = BadTarget;

    /// `10.1.2.3`, `10.0.0.0/8`, `fd00::/8` or a host's name.
    fn from_str(text: &str) -> Result<Self, BadTarget> {
        let bits = |address: IpAddr| if address.is_ipv4() { 32 } else { 128 };
        if let Some((address, length)) = text.split_once('/') {
            let address: IpAddr = address.parse().map_err(|_| BadTarget)?;
            let length = length.parse().ok().filter(|length| *length <= bits(address)).ok_or(BadTarget)?;
            return Ok(Self::Network(address, length));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Network(address, bits(address)));
        }
        let is_name = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        if is_name { Ok(Self::Host(text.to_ascii_lowercase())) } else { Err(BadTarget) }
    }
}

impl PrivateTargets {
    /// Whether a request to this host may go to this address.
    #[must_use]
    pub fn allow(&self, host: &str, address: IpAddr) -> bool {
        let address = plain(address);
        is_public(address)
            || match self {
                Self::None => false,
                Self::All => true,
                Self::These(targets) => targets.iter().any(|target| match target {
                    Target::Network(network, length) => is_within(address, *network, *length),
                    Target::Host(name) => name.eq_ignore_ascii_case(host.trim_end_matches('.')),
                }),
            }
    }
}

/// An IPv4 address that is written as IPv6 is judged as what it is.
fn plain(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => six.to_ipv4_mapped().map_or(address, IpAddr::V4),
    }
}

fn is_within(address: IpAddr, network: IpAddr, length: u8) -> bool {
    let same = |a: u128, b: u128, bits: u32| {
        let rest = bits.saturating_sub(u32::from(length));
        // A shift by the whole width is no shift in Rust.
        rest >= bits || a >> rest == b >> rest
    };
    match (address, plain(network)) {
        (IpAddr::V4(a), IpAddr::V4(b)) => same(u32::from(a).into(), u32::from(b).into(), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => same(a.into(), b.into(), 128),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(four) => is_public_v4(four),
        IpAddr::V6(six) => is_public_v6(six),
    }
}

/// By IANA's registry of special-purpose addresses (RFC 6890 and what followed).
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = match (a, b, c) {
        // This network, private use, loopback, multicast and reserved.
        (0 | 10 | 127 | 224..=255, _, _) => true,
        // Shared between a carrier and its customers, link-local, private use, private use.
        (100, 64..=127, _) | (169, 254, _) | (172, 16..=31, _) | (192, 168, _) => true,
        // Protocol assignments, documentation, the old 6to4 relay, benchmarks, documentation twice more.
        (192, 0, 0 | 2) | (192, 88, 99) | (198, 18 | 19, _) | (198, 51, 100) | (203, 0, 113) => true,
        (_, _, _) => false,
    };
    !special
}

/// Only global unicast is public, and of it nothing that wraps an IPv4 address, documents or tests.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, rest @ ..] = address.segments();
    // An IPv4 address behind a translator (RFC 6052): its last four bytes.
    if (a, b) == (0x64, 0xff9b) && rest[..4] == [0; 4] {
        let [.., one, two, three, four] = address.octets();
        return is_public_v4(Ipv4Addr::new(one, two, three, four));
    }
    let is_global = a & 0xe000 == 0x2000;
    let is_special = (a == 0x2001 && (b < 0x0200 || b == 0x0db8)) || a == 0x2002 || (a == 0x3fff && b < 0x1000);
    is_global && !is_special
}

/// Resolves names, and keeps back the addresses that may not be reached: a name is checked by what is then connected to, so that one
/// that changes its address between two look-ups gains nothing.
pub(super) struct Guard(pub(super) Arc<PrivateTargets>);

/// The host has only addresses that may not be reached.
#[derive(Debug, thiserror::Error)]
#[error("{0} is in a private network; the operator may allow it with allow_private_targets")]
pub(super) struct Private(pub(super) String);

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let targets = Arc::clone(&self.0);
        Box::pin(async move {
            let host = name.as_str().to_owned();
            // The port is the URL's, whatever is said here.
            let found = tokio::net::lookup_host((host.as_str(), 0)).await?;
            let allowed: Vec<_> = found.filter(|address| targets.allow(&host, address.ip())).collect();
            if allowed.is_empty() {
                return Err(Private(host).into());
            }
            let allowed: Addrs = Box::new(allowed.into_iter());
            Ok(allowed)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn private_addresses_are_known_in_every_dress() {
        let private = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "192.0.0.8",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
        ];
        for address in private {
            assert!(!PrivateTargets::None.allow("x", ip(address)), "{address}");
            assert!(PrivateTargets::All.allow("x", ip(address)), "{address}");
        }
        for address in ["1.1.1.1", "100.63.0.1", "172.32.0.1", "192.169.0.1", "2606:4700::1111", "64:ff9b::101:101", "::ffff:1.1.1.1"] {
            assert!(PrivateTargets::None.allow("x", ip(address)), "{address}");
        }
    }

    /// What a name resolves to is what is connected to, and each address is judged by itself: a name that has a public address and a private
    /// one, or that changes between two look-ups, leads nowhere that is not allowed.
    #[tokio::test]
    async fn a_name_leads_to_its_allowed_addresses_alone() {
        let resolved = async |targets: PrivateTargets, name: &str| {
            let name = name.parse::<Name>().map_err(|_| Private(name.to_owned()))?;
            Guard(Arc::new(targets)).resolve(name).await.map(|found| found.map(|address| address.ip()).collect::<Vec<_>>())
        };
        let refused = resolved(PrivateTargets::None, "localhost").await.expect_err("it is this machine");
        assert!(refused.is::<Private>(), "{refused}");
        let only = |text: &str| PrivateTargets::These(vec![text.parse().expect("a target")]);
        assert_eq!(resolved(only("127.0.0.1"), "localhost").await.expect("one is allowed"), [ip("127.0.0.1")]);
        assert!(resolved(only("10.0.0.0/8"), "localhost").await.is_err());
        assert!(resolved(only("localhost"), "localhost").await.expect("by its name").contains(&ip("127.0.0.1")));
        // A name that is digits in disguise is resolved by some systems, and judged all the same.
        for digits in ["127.1", "0x7f.1", "2130706433", "017700000001"] {
            assert!(resolved(PrivateTargets::None, digits).await.is_err(), "{digits}");
        }
    }

    #[test]
    fn the_operator_allows_networks_and_names() {
        let targets = ["10.1.0.0/16", "192.168.7.9", "fd00::/8", "Chat.Internal", "0.0.0.0/0"].map(str::parse::<Target>);
        let [network, one, six, name, all] = targets.map(|target| PrivateTargets::These(vec![target.expect("a target")]));
        assert!(network.allow("x", ip("10.1.255.1")) && !network.allow("x", ip("10.2.0.1")) && network.allow("x", ip("::ffff:10.1.0.1")));
        assert!(one.allow("x", ip("192.168.7.9")) && !one.allow("x", ip("192.168.7.8")));
        assert!(six.allow("x", ip("fd12::1")) && !six.allow("x", ip("fe80::1")));
        assert!(name.allow("chat.internal", ip("10.0.0.1")) && !name.allow("evil.internal", ip("10.0.0.1")));
        assert!(all.allow("x", ip("127.0.0.1")) && !all.allow("x", ip("::1")));
        for bad in ["", "10.0.0.0/33", "x/8", "http://10.0.0.1", "a b"] {
            assert_eq!(bad.parse::<Target>(), Err(BadTarget), "{bad}");
        }
    }
}
