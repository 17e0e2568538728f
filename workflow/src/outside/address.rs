//! Which addresses are public: those that anybody on the internet can reach anyway.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Says whether an address is public. Addresses that carry an IPv4 address inside are judged by that one.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// What is left of IPv4 without the special-purpose blocks.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = a == 0
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        // between a provider and its customers
        || (a == 100 && (64..128).contains(&b))
        // protocol assignments, and the former relays of 6to4
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b))
        || address.is_documentation()
        // multicast, reserved and broadcast
        || a >= 224;
    !special
}

/// The part of IPv6 that is given out to networks, without what only looks like it.
fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(inner) = inner_v4(address) {
        return is_public_v4(inner);
    }
    let [a, b, ..] = address.segments();
    let special = (a & 0xe000) != 0x2000
        // protocol assignments, tunnels among them
        || (a == 0x2001 && b < 0x0200)
        // documentation
        || (a == 0x2001 && b == 0x0db8)
        || (a == 0x3fff && b < 0x1000);
    !special
}

/// The IPv4 address in a mapped (`::ffff:0:0/96`), translated (`64:ff9b::/96`) or 6to4 (`2002::/16`) address.
fn inner_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let joined = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(joined(high, low)),
        [0x2002, high, low, ..] => Some(joined(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(want: bool, addresses: &[&str]) {
        for address in addresses {
            assert_eq!(is_public(address.parse().unwrap()), want, "{address}");
        }
    }

    #[test]
    fn public_addresses() {
        check(
            true,
            &["1.1.1.1", "8.8.8.8", "100.63.255.255", "172.32.0.1", "192.0.1.1", "198.20.0.1", "223.255.255.255"],
        );
        check(true, &["2606:4700:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"]);
    }

    #[test]
    fn addresses_of_this_machine_and_its_networks() {
        check(false, &["127.0.0.1", "127.255.0.1", "0.0.0.0", "0.1.2.3", "::", "::1"]);
        check(false, &["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "169.254.169.254"]);
        check(false, &["fe80::1", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1"]);
    }

    #[test]
    fn addresses_in_disguise() {
        check(
            false,
            &["::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::10.0.0.1"],
        );
        check(false, &["64:ff9b:1::1", "2002:7f00:1::1", "2002:a00:1::", "2001::1", "2001:db8::1", "3fff::1"]);
        check(
            false,
            &["224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "203.0.113.9", "192.0.0.8"],
        );
    }
}
