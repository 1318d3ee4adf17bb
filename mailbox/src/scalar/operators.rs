//! The operators of scalar types, each by way of the method that says `None` where it cannot be done.

/// `+ - * / %` and their assignments, between values and references, and sums and products.
macro_rules! operators {
    ($type:ident: $zero:expr, $one:expr) => {
        operators! { $type, Add::add, AddAssign::add_assign, checked_add, "sum" }
        operators! { $type, Sub::sub, SubAssign::sub_assign, checked_sub, "difference" }
        operators! { $type, Mul::mul, MulAssign::mul_assign, checked_mul, "product" }
        operators! { $type, Div::div, DivAssign::div_assign, checked_div, "quotient" }
        operators! { $type, Rem::rem, RemAssign::rem_assign, checked_rem, "remainder" }
        operators! { $type, Sum::sum, Add::add, $zero }
        operators! { $type, Product::product, Mul::mul, $one }
    };
    ($type:ident, $operator:ident::$plain:ident, $assign:ident::$in_place:ident, $checked:ident, $what:literal) => {
        impl std::ops::$operator for $type {
            type Output = $type;

            #[doc = concat!("# Panics\nWhere [`", stringify!($type), "::", stringify!($checked), "`] gives `None`.")]
            fn $plain(self, other: $type) -> $type {
                self.$checked(other).unwrap_or_else(|| {
                    panic!(concat!("{} and {}: no ", stringify!($type), " is their ", $what), self, other)
                })
            }
        }

        impl std::ops::$operator<&$type> for $type {
            type Output = $type;

            #[doc = concat!("# Panics\nWhere [`", stringify!($type), "::", stringify!($checked), "`] gives `None`.")]
            fn $plain(self, other: &$type) -> $type {
                std::ops::$operator::$plain(self, *other)
            }
        }

        impl std::ops::$operator<$type> for &$type {
            type Output = $type;

            #[doc = concat!("# Panics\nWhere [`", stringify!($type), "::", stringify!($checked), "`] gives `None`.")]
            fn $plain(self, other: $type) -> $type {
                std::ops::$operator::$plain(*self, other)
            }
        }

        impl std::ops::$operator for &$type {
            type Output = $type;

            #[doc = concat!("# Panics\nWhere [`", stringify!($type), "::", stringify!($checked), "`] gives `None`.")]
            fn $plain(self, other: &$type) -> $type {
                std::ops::$operator::$plain(*self, *other)
            }
        }

        impl std::ops::$assign for $type {
            #[doc = concat!("# Panics\nWhere [`", stringify!($type), "::", stringify!($checked), "`] gives `None`.")]
            fn $in_place(&mut self, other: $type) {
                *self = std::ops::$operator::$plain(*self, other);
            }
        }

        impl std::ops::$assign<&$type> for $type {
            #[doc = concat!("# Panics\nWhere [`", stringify!($type), "::", stringify!($checked), "`] gives `None`.")]
            fn $in_place(&mut self, other: &$type) {
                *self = std::ops::$operator::$plain(*self, *other);
            }
        }
    };
    ($type:ident, $all:ident::$fold:ident, $operator:ident::$plain:ident, $start:expr) => {
        impl std::iter::$all for $type {
            #[doc = concat!("# Panics\nWhere a part of it is no [`", stringify!($type), "`].")]
            fn $fold<I: Iterator<Item = $type>>(values: I) -> $type {
                values.fold($start, std::ops::$operator::$plain)
            }
        }

        impl<'a> std::iter::$all<&'a $type> for $type {
            #[doc = concat!("# Panics\nWhere a part of it is no [`", stringify!($type), "`].")]
            fn $fold<I: Iterator<Item = &'a $type>>(values: I) -> $type {
                values.copied().$fold()
            }
        }
    };
}
