//! The error numbers of Linux (asm-generic/errno.h) that routing requests are refused with.

/// No such file or directory: no such rule, or nothing to replace.
pub const ENOENT: i32 = 2;
/// No such process: no such route.
pub const ESRCH: i32 = 3;
/// File exists: the place is taken, or the very same thing is there.
pub const EEXIST: i32 = 17;
/// No such device.
pub const ENODEV: i32 = 19;
/// Invalid argument.
pub const EINVAL: i32 = 22;
/// Operation not supported.
pub const EOPNOTSUPP: i32 = 95;
/// Cannot assign requested address: no such address.
pub const EADDRNOTAVAIL: i32 = 99;
/// Network is down: the device is.
pub const ENETDOWN: i32 = 100;
/// Network is unreachable: the gateway is in no network of the device (IPv4).
pub const ENETUNREACH: i32 = 101;
/// No route to host: the same in IPv6.
pub const EHOSTUNREACH: i32 = 113;
