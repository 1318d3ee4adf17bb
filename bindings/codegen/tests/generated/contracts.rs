// Generated from the contract mycelium.examples version 1: edit that, not this.

#[allow(missing_docs, dead_code, unreachable_pub, non_camel_case_types)]
#[allow(clippy::all, clippy::pedantic, rustdoc::all)]
mod generated_contracts {
    #[allow(unused_imports)]
    use ::mycelium_mailbox::{self as mycelium, rkyv, wire, Message as _, wire::Wire as _};
    #[allow(unused_imports)]
    use mycelium::scalar::{Decimal, I256, Timestamp, U256};

    /// What an order is to do.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Clone, Copy, Debug, PartialEq, Eq, Hash))]
    #[repr(u8)]
    pub enum OrderKind {
        /// Close the position, whatever it is.
        #[default]
        Close,
        /// The variant `Buy`.
        Buy,
        /// Sell short.
        Sell,
    }

    impl OrderKind {
        /// All variants, in the order of the contract.
        pub const ALL: [Self; 3] = [Self::Close, Self::Buy, Self::Sell];

        /// The variant's name in the contract.
        #[must_use]
        pub const fn name(self) -> &'static str {
            match self {
                Self::Close => "Close",
                Self::Buy => "Buy",
                Self::Sell => "Sell",
            }
        }
    }

    impl ArchivedOrderKind {
        /// The variant, copied out of the bytes.
        #[must_use]
        pub const fn to_native(&self) -> OrderKind {
            match self {
                Self::Close => OrderKind::Close,
                Self::Buy => OrderKind::Buy,
                Self::Sell => OrderKind::Sell,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedOrderKind>() == 1);
        assert!(align_of::<ArchivedOrderKind>() == 1);
    };

    /// What a fill did.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Clone, Copy, Debug, PartialEq, Eq, Hash))]
    #[repr(u8)]
    pub enum FillKind {
        /// Opened a position.
        #[default]
        Open,
        /// Closed it.
        Close,
        /// The equity was used up. The position is gone and no cash is left.
        Liquidation,
    }

    impl FillKind {
        /// All variants, in the order of the contract.
        pub const ALL: [Self; 3] = [Self::Open, Self::Close, Self::Liquidation];

        /// The variant's name in the contract.
        #[must_use]
        pub const fn name(self) -> &'static str {
            match self {
                Self::Open => "Open",
                Self::Close => "Close",
                Self::Liquidation => "Liquidation",
            }
        }
    }

    impl ArchivedFillKind {
        /// The variant, copied out of the bytes.
        #[must_use]
        pub const fn to_native(&self) -> FillKind {
            match self {
                Self::Open => FillKind::Open,
                Self::Close => FillKind::Close,
                Self::Liquidation => FillKind::Liquidation,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedFillKind>() == 1);
        assert!(align_of::<ArchivedFillKind>() == 1);
    };

    /// When a working order becomes a fill.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Clone, Copy, Debug, PartialEq, Eq, Hash))]
    #[repr(u8)]
    pub enum OrderType {
        /// At the next open.
        #[default]
        Market,
        /// At the limit or better.
        Limit,
        /// At the market, once the stop was touched.
        Stop,
        /// As a limit, once the stop was touched.
        StopLimit,
        /// As a stop that follows the best price at a distance.
        TrailingStop,
    }

    impl OrderType {
        /// All variants, in the order of the contract.
        pub const ALL: [Self; 5] = [Self::Market, Self::Limit, Self::Stop, Self::StopLimit, Self::TrailingStop];

        /// The variant's name in the contract.
        #[must_use]
        pub const fn name(self) -> &'static str {
            match self {
                Self::Market => "Market",
                Self::Limit => "Limit",
                Self::Stop => "Stop",
                Self::StopLimit => "StopLimit",
                Self::TrailingStop => "TrailingStop",
            }
        }
    }

    impl ArchivedOrderType {
        /// The variant, copied out of the bytes.
        #[must_use]
        pub const fn to_native(&self) -> OrderType {
            match self {
                Self::Market => OrderType::Market,
                Self::Limit => OrderType::Limit,
                Self::Stop => OrderType::Stop,
                Self::StopLimit => OrderType::StopLimit,
                Self::TrailingStop => OrderType::TrailingStop,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedOrderType>() == 1);
        assert!(align_of::<ArchivedOrderType>() == 1);
    };

    /// What the size of an order counts.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Clone, Copy, Debug, PartialEq, Eq, Hash))]
    #[repr(u8)]
    pub enum SizeUnit {
        /// The variant `Lots`.
        #[default]
        Lots,
        /// Units of the currency.
        Value,
        /// Share of what the account can still buy for.
        Cash,
        /// Share of the equity.
        Equity,
        /// The position wanted, in lots.
        TargetLots,
        /// The position wanted, as a share of the equity.
        TargetEquity,
        /// The position wanted, in units of the currency.
        TargetValue,
    }

    impl SizeUnit {
        /// All variants, in the order of the contract.
        pub const ALL: [Self; 7] = [Self::Lots, Self::Value, Self::Cash, Self::Equity, Self::TargetLots, Self::TargetEquity, Self::TargetValue];

        /// The variant's name in the contract.
        #[must_use]
        pub const fn name(self) -> &'static str {
            match self {
                Self::Lots => "Lots",
                Self::Value => "Value",
                Self::Cash => "Cash",
                Self::Equity => "Equity",
                Self::TargetLots => "TargetLots",
                Self::TargetEquity => "TargetEquity",
                Self::TargetValue => "TargetValue",
            }
        }
    }

    impl ArchivedSizeUnit {
        /// The variant, copied out of the bytes.
        #[must_use]
        pub const fn to_native(&self) -> SizeUnit {
            match self {
                Self::Lots => SizeUnit::Lots,
                Self::Value => SizeUnit::Value,
                Self::Cash => SizeUnit::Cash,
                Self::Equity => SizeUnit::Equity,
                Self::TargetLots => SizeUnit::TargetLots,
                Self::TargetEquity => SizeUnit::TargetEquity,
                Self::TargetValue => SizeUnit::TargetValue,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedSizeUnit>() == 1);
        assert!(align_of::<ArchivedSizeUnit>() == 1);
    };

    /// How long an order works.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Clone, Copy, Debug, PartialEq, Eq, Hash))]
    #[repr(u8)]
    pub enum TimeInForce {
        /// The variant `GoodTillCancelled`.
        #[default]
        GoodTillCancelled,
        /// For the day of the first bar on which it could be filled.
        Day,
        /// At the next open, as much as can be filled.
        ImmediateOrCancel,
        /// At the next open, all of it or nothing.
        FillOrKill,
    }

    impl TimeInForce {
        /// All variants, in the order of the contract.
        pub const ALL: [Self; 4] = [Self::GoodTillCancelled, Self::Day, Self::ImmediateOrCancel, Self::FillOrKill];

        /// The variant's name in the contract.
        #[must_use]
        pub const fn name(self) -> &'static str {
            match self {
                Self::GoodTillCancelled => "GoodTillCancelled",
                Self::Day => "Day",
                Self::ImmediateOrCancel => "ImmediateOrCancel",
                Self::FillOrKill => "FillOrKill",
            }
        }
    }

    impl ArchivedTimeInForce {
        /// The variant, copied out of the bytes.
        #[must_use]
        pub const fn to_native(&self) -> TimeInForce {
            match self {
                Self::GoodTillCancelled => TimeInForce::GoodTillCancelled,
                Self::Day => TimeInForce::Day,
                Self::ImmediateOrCancel => TimeInForce::ImmediateOrCancel,
                Self::FillOrKill => TimeInForce::FillOrKill,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedTimeInForce>() == 1);
        assert!(align_of::<ArchivedTimeInForce>() == 1);
    };

    /// What became of an order.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Clone, Copy, Debug, PartialEq, Eq, Hash))]
    #[repr(u8)]
    pub enum OrderStatus {
        /// A protective order has become active.
        #[default]
        Working,
        /// The stop of a stop-limit order was touched.
        Triggered,
        /// The variant `Filled`.
        Filled,
        /// The variant `Cancelled`.
        Cancelled,
        /// The variant `Expired`.
        Expired,
        /// The variant `Rejected`.
        Rejected,
    }

    impl OrderStatus {
        /// All variants, in the order of the contract.
        pub const ALL: [Self; 6] = [Self::Working, Self::Triggered, Self::Filled, Self::Cancelled, Self::Expired, Self::Rejected];

        /// The variant's name in the contract.
        #[must_use]
        pub const fn name(self) -> &'static str {
            match self {
                Self::Working => "Working",
                Self::Triggered => "Triggered",
                Self::Filled => "Filled",
                Self::Cancelled => "Cancelled",
                Self::Expired => "Expired",
                Self::Rejected => "Rejected",
            }
        }
    }

    impl ArchivedOrderStatus {
        /// The variant, copied out of the bytes.
        #[must_use]
        pub const fn to_native(&self) -> OrderStatus {
            match self {
                Self::Working => OrderStatus::Working,
                Self::Triggered => OrderStatus::Triggered,
                Self::Filled => OrderStatus::Filled,
                Self::Cancelled => OrderStatus::Cancelled,
                Self::Expired => OrderStatus::Expired,
                Self::Rejected => OrderStatus::Rejected,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedOrderStatus>() == 1);
        assert!(align_of::<ArchivedOrderStatus>() == 1);
    };

    /// Why an order ended without a whole fill.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Clone, Copy, Debug, PartialEq, Eq, Hash))]
    #[repr(u8)]
    pub enum OrderCause {
        /// The variant `NotApplicable`.
        #[default]
        NotApplicable,
        /// The strategy cancelled it.
        Asked,
        /// The money buys no whole lot.
        NoLot,
        /// The account cannot pay for it.
        NotEnoughCash,
        /// A reduce-only order met no position to reduce.
        NothingToReduce,
        /// Another order of its group was filled.
        OtherFilled,
        /// The trade that it protects was closed otherwise.
        TradeClosed,
        /// The book has no room for more orders.
        TooManyOrders,
        /// A price is missing, not finite or not above zero.
        BadPrice,
        /// The size is zero or not finite.
        BadSize,
        /// The equity was used up.
        Ruined,
        /// Its time was over.
        TimeInForce,
        /// No bar is left.
        SessionEnd,
        /// The equity fell below the maintenance margin, and all positions were closed.
        MarginCall,
        /// The exchange does not trade it.
        UnknownAsset,
        /// Its asset has no price yet.
        NoPrice,
    }

    impl OrderCause {
        /// All variants, in the order of the contract.
        pub const ALL: [Self; 16] = [Self::NotApplicable, Self::Asked, Self::NoLot, Self::NotEnoughCash, Self::NothingToReduce, Self::OtherFilled, Self::TradeClosed, Self::TooManyOrders, Self::BadPrice, Self::BadSize, Self::Ruined, Self::TimeInForce, Self::SessionEnd, Self::MarginCall, Self::UnknownAsset, Self::NoPrice];

        /// The variant's name in the contract.
        #[must_use]
        pub const fn name(self) -> &'static str {
            match self {
                Self::NotApplicable => "NotApplicable",
                Self::Asked => "Asked",
                Self::NoLot => "NoLot",
                Self::NotEnoughCash => "NotEnoughCash",
                Self::NothingToReduce => "NothingToReduce",
                Self::OtherFilled => "OtherFilled",
                Self::TradeClosed => "TradeClosed",
                Self::TooManyOrders => "TooManyOrders",
                Self::BadPrice => "BadPrice",
                Self::BadSize => "BadSize",
                Self::Ruined => "Ruined",
                Self::TimeInForce => "TimeInForce",
                Self::SessionEnd => "SessionEnd",
                Self::MarginCall => "MarginCall",
                Self::UnknownAsset => "UnknownAsset",
                Self::NoPrice => "NoPrice",
            }
        }
    }

    impl ArchivedOrderCause {
        /// The variant, copied out of the bytes.
        #[must_use]
        pub const fn to_native(&self) -> OrderCause {
            match self {
                Self::NotApplicable => OrderCause::NotApplicable,
                Self::Asked => OrderCause::Asked,
                Self::NoLot => OrderCause::NoLot,
                Self::NotEnoughCash => OrderCause::NotEnoughCash,
                Self::NothingToReduce => OrderCause::NothingToReduce,
                Self::OtherFilled => OrderCause::OtherFilled,
                Self::TradeClosed => OrderCause::TradeClosed,
                Self::TooManyOrders => OrderCause::TooManyOrders,
                Self::BadPrice => OrderCause::BadPrice,
                Self::BadSize => OrderCause::BadSize,
                Self::Ruined => OrderCause::Ruined,
                Self::TimeInForce => OrderCause::TimeInForce,
                Self::SessionEnd => OrderCause::SessionEnd,
                Self::MarginCall => OrderCause::MarginCall,
                Self::UnknownAsset => OrderCause::UnknownAsset,
                Self::NoPrice => OrderCause::NoPrice,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedOrderCause>() == 1);
        assert!(align_of::<ArchivedOrderCause>() == 1);
    };

    /// What an account pays or earns without a trade.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Clone, Copy, Debug, PartialEq, Eq, Hash))]
    #[repr(u8)]
    pub enum ChargeKind {
        /// On money that was lent to the account.
        #[default]
        Interest,
        /// On assets that were sold short.
        Borrow,
        /// Of a perpetual contract: long pays short if the rate is above zero.
        Funding,
        /// What a ruined account owes and nobody pays; negative.
        WriteOff,
        /// Of what is held, negative; above zero of what was sold short.
        Dividend,
    }

    impl ChargeKind {
        /// All variants, in the order of the contract.
        pub const ALL: [Self; 5] = [Self::Interest, Self::Borrow, Self::Funding, Self::WriteOff, Self::Dividend];

        /// The variant's name in the contract.
        #[must_use]
        pub const fn name(self) -> &'static str {
            match self {
                Self::Interest => "Interest",
                Self::Borrow => "Borrow",
                Self::Funding => "Funding",
                Self::WriteOff => "WriteOff",
                Self::Dividend => "Dividend",
            }
        }
    }

    impl ArchivedChargeKind {
        /// The variant, copied out of the bytes.
        #[must_use]
        pub const fn to_native(&self) -> ChargeKind {
            match self {
                Self::Interest => ChargeKind::Interest,
                Self::Borrow => ChargeKind::Borrow,
                Self::Funding => ChargeKind::Funding,
                Self::WriteOff => ChargeKind::WriteOff,
                Self::Dividend => ChargeKind::Dividend,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedChargeKind>() == 1);
        assert!(align_of::<ArchivedChargeKind>() == 1);
    };

    /// A unit enum that has grown. Digests cover the first release, so old peers still talk to new ones.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Clone, Copy, Debug, PartialEq, Eq, Hash))]
    #[repr(u8)]
    pub enum Colour {
        /// The variant `Red`.
        #[default]
        Red,
        /// As grass is.
        Green,
        /// The variant `Blue`.
        Blue,
    }

    impl Colour {
        /// All variants, in the order of the contract.
        pub const ALL: [Self; 3] = [Self::Red, Self::Green, Self::Blue];

        /// The variant's name in the contract.
        #[must_use]
        pub const fn name(self) -> &'static str {
            match self {
                Self::Red => "Red",
                Self::Green => "Green",
                Self::Blue => "Blue",
            }
        }
    }

    impl ArchivedColour {
        /// The variant, copied out of the bytes.
        #[must_use]
        pub const fn to_native(&self) -> Colour {
            match self {
                Self::Red => Colour::Red,
                Self::Green => Colour::Green,
                Self::Blue => Colour::Blue,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedColour>() == 1);
        assert!(align_of::<ArchivedColour>() == 1);
    };

    /// A data enum.
    #[derive(Clone, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub enum Shape {
        /// The variant `Empty`.
        #[default]
        Empty,
        /// The variant `Circle`.
        Circle {
            /// The field `radius`.
            radius: f64,
        },
        /// Text at a place.
        Label {
            /// The field `at`.
            at: self::Point,
            /// The field `text`.
            text: String,
        },
    }

    impl Shape {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedShape>() == 24);
        assert!(align_of::<ArchivedShape>() == 8);
    };

    /// What is displayed at one price, or traded at it.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Level {
        /// In units of the currency.
        pub price: f64,
        /// Units of the asset, over all orders at this price.
        pub size: f64,
    }

    const _: () = {
        assert!(size_of::<ArchivedLevel>() == 16);
        assert!(align_of::<ArchivedLevel>() == 8);
        assert!(::std::mem::offset_of!(ArchivedLevel, price) == 0);
        assert!(::std::mem::offset_of!(ArchivedLevel, size) == 8);
    };

    impl Level {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            if !(self.price.is_finite()) {
                return Err(mycelium::ValidationError::broken("Level", "price", &self.price, "finite"));
            }
            if !(self.price >= 0.0) {
                return Err(mycelium::ValidationError::broken("Level", "price", &self.price, "at least 0.0"));
            }
            if !(self.size.is_finite()) {
                return Err(mycelium::ValidationError::broken("Level", "size", &self.size, "finite"));
            }
            if !(self.size >= 0.0) {
                return Err(mycelium::ValidationError::broken("Level", "size", &self.size, "at least 0.0"));
            }
            Ok(())
        }
    }

    /// A fixed-size struct.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Point {
        /// The field `x`.
        pub x: i32,
        /// The field `y`.
        pub y: i32,
    }

    const _: () = {
        assert!(size_of::<ArchivedPoint>() == 8);
        assert!(align_of::<ArchivedPoint>() == 4);
        assert!(::std::mem::offset_of!(ArchivedPoint, x) == 0);
        assert!(::std::mem::offset_of!(ArchivedPoint, y) == 4);
    };

    impl Point {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// A struct with parts outside the root.
    #[derive(Clone, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub struct Person {
        /// The field `name`.
        pub name: String,
        /// The field `emails`.
        pub emails: Vec<String>,
        /// The field `born`.
        pub born: Option<Timestamp>,
    }

    const _: () = {
        assert!(size_of::<ArchivedPerson>() == 32);
        assert!(align_of::<ArchivedPerson>() == 8);
        assert!(::std::mem::offset_of!(ArchivedPerson, name) == 0);
        assert!(::std::mem::offset_of!(ArchivedPerson, emails) == 8);
        assert!(::std::mem::offset_of!(ArchivedPerson, born) == 16);
    };

    impl Person {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            if !(self.name.len() > 0) {
                return Err(mycelium::ValidationError::broken_length("Person", "name", self.name.len(), "at least 1"));
            }
            Ok(())
        }
    }

    /// Prices of one symbol over one interval.
    ///
    /// Topic `market.bars`, type id 100, version 2, domain `market_data`.
    #[derive(Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Bar {
        /// Start of the interval.
        pub timestamp: Timestamp,
        /// The field `open`.
        pub open: f64,
        /// The field `high`.
        pub high: f64,
        /// The field `low`.
        pub low: f64,
        /// The field `close`.
        pub close: f64,
        /// The field `volume`.
        pub volume: f64,
        /// The close in whole price ticks, so that averages compare exactly on every machine.
        pub close_ticks: i64,
        /// Number of the bar, from 0.
        pub index: u32,
        /// Number of the asset, from 0.
        pub asset: u16,
    }

    impl Default for Bar {
        fn default() -> Self {
            Self {
                timestamp: Default::default(),
                open: Default::default(),
                high: Default::default(),
                low: Default::default(),
                close: Default::default(),
                volume: Default::default(),
                close_ticks: Default::default(),
                index: Default::default(),
                asset: 0,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedBar>() == 64);
        assert!(align_of::<ArchivedBar>() == 8);
        assert!(::std::mem::offset_of!(ArchivedBar, timestamp) == 0);
        assert!(::std::mem::offset_of!(ArchivedBar, open) == 8);
        assert!(::std::mem::offset_of!(ArchivedBar, high) == 16);
        assert!(::std::mem::offset_of!(ArchivedBar, low) == 24);
        assert!(::std::mem::offset_of!(ArchivedBar, close) == 32);
        assert!(::std::mem::offset_of!(ArchivedBar, volume) == 40);
        assert!(::std::mem::offset_of!(ArchivedBar, close_ticks) == 48);
        assert!(::std::mem::offset_of!(ArchivedBar, index) == 56);
        assert!(::std::mem::offset_of!(ArchivedBar, asset) == 60);
    };

    impl mycelium::Message for Bar {
        const NAME: &'static str = "Bar";
        const TYPE_ID: u16 = 100;
        const TOPIC: &'static str = "market.bars";
        const VERSION: u16 = 2;
        const DIGEST: u64 = 0x6658347980bb3459;

        fn validate(&self) -> Result<(), mycelium::ValidationError> {
            if !(self.open.is_finite()) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "open", &self.open, "finite"));
            }
            if !(self.open > 0.0) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "open", &self.open, "above 0.0"));
            }
            if !(self.high.is_finite()) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "high", &self.high, "finite"));
            }
            if !(self.high > 0.0) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "high", &self.high, "above 0.0"));
            }
            if !(self.low.is_finite()) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "low", &self.low, "finite"));
            }
            if !(self.low > 0.0) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "low", &self.low, "above 0.0"));
            }
            if !(self.close.is_finite()) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "close", &self.close, "finite"));
            }
            if !(self.close > 0.0) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "close", &self.close, "above 0.0"));
            }
            if !(self.volume.is_finite()) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "volume", &self.volume, "finite"));
            }
            if !(self.volume >= 0.0) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "volume", &self.volume, "at least 0.0"));
            }
            if !(self.close_ticks >= 1) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "close_ticks", &self.close_ticks, "at least 1"));
            }
            Ok(())
        }
    }

    impl wire::Wire for Bar {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 64, digest: 0xe6c5140f7639a29b },
            wire::Layout { version: 2, root_len: 64, digest: 0x6658347980bb3459 },
        ];

        fn upgrade(bytes: &[u8], version: u16) -> Result<Self, wire::WireError> {
            match version {
                1 => {
                    let old: Bar_V1 = wire::decode_fixed_layout(Self::NAME, bytes)?;
                    Ok(Self {
                        timestamp: old.timestamp,
                        open: old.open,
                        high: old.high,
                        low: old.low,
                        close: old.close,
                        volume: old.volume,
                        close_ticks: old.close_ticks,
                        index: old.index,
                        asset: 0,
                    })
                }
                _ => Err(wire::unknown_version::<Self>(version)),
            }
        }
    }

    /// `Bar` as its version 1 was laid out.
    #[derive(rkyv::Archive, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv)]
    struct Bar_V1 {
        timestamp: Timestamp,
        open: f64,
        high: f64,
        low: f64,
        close: f64,
        volume: f64,
        close_ticks: i64,
        index: u32,
    }

    const _: () = {
        assert!(size_of::<ArchivedBar_V1>() == 64);
        assert!(align_of::<ArchivedBar_V1>() == 8);
        assert!(::std::mem::offset_of!(ArchivedBar_V1, timestamp) == 0);
        assert!(::std::mem::offset_of!(ArchivedBar_V1, open) == 8);
        assert!(::std::mem::offset_of!(ArchivedBar_V1, high) == 16);
        assert!(::std::mem::offset_of!(ArchivedBar_V1, low) == 24);
        assert!(::std::mem::offset_of!(ArchivedBar_V1, close) == 32);
        assert!(::std::mem::offset_of!(ArchivedBar_V1, volume) == 40);
        assert!(::std::mem::offset_of!(ArchivedBar_V1, close_ticks) == 48);
        assert!(::std::mem::offset_of!(ArchivedBar_V1, index) == 56);
    };

    /// The close of a bar. An exchange publishes it after the bar's fills.
    ///
    /// Topic `market.closes`, type id 101, version 1, domain `market_data`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Close {
        /// Start of the bar.
        pub timestamp: Timestamp,
        /// The field `price`.
        pub price: f64,
        /// The price in whole ticks, exact.
        pub ticks: i64,
    }

    const _: () = {
        assert!(size_of::<ArchivedClose>() == 24);
        assert!(align_of::<ArchivedClose>() == 8);
        assert!(::std::mem::offset_of!(ArchivedClose, timestamp) == 0);
        assert!(::std::mem::offset_of!(ArchivedClose, price) == 8);
        assert!(::std::mem::offset_of!(ArchivedClose, ticks) == 16);
    };

    impl mycelium::Message for Close {
        const NAME: &'static str = "Close";
        const TYPE_ID: u16 = 101;
        const TOPIC: &'static str = "market.closes";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0x363d5aa2d39594a4;

        fn validate(&self) -> Result<(), mycelium::ValidationError> {
            if !(self.price.is_finite()) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "price", &self.price, "finite"));
            }
            if !(self.price > 0.0) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "price", &self.price, "above 0.0"));
            }
            if !(self.ticks >= 1) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "ticks", &self.ticks, "at least 1"));
            }
            Ok(())
        }
    }

    impl wire::Wire for Close {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 24, digest: 0x363d5aa2d39594a4 },
        ];
    }

    /// The feed has no more bars.
    ///
    /// Topic `market.session`, type id 102, version 1, domain `market_data`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct SessionEnd {
        /// Start of the last bar.
        pub timestamp: Timestamp,
    }

    const _: () = {
        assert!(size_of::<ArchivedSessionEnd>() == 8);
        assert!(align_of::<ArchivedSessionEnd>() == 8);
        assert!(::std::mem::offset_of!(ArchivedSessionEnd, timestamp) == 0);
    };

    impl mycelium::Message for SessionEnd {
        const NAME: &'static str = "SessionEnd";
        const TYPE_ID: u16 = 102;
        const TOPIC: &'static str = "market.session";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0x2e0aec814aea6f71;
    }

    impl wire::Wire for SessionEnd {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 8, digest: 0x2e0aec814aea6f71 },
        ];
    }

    /// The best bid and ask of an asset.
    ///
    /// Topic `market.quotes`, type id 103, version 1, domain `market_data`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Quote {
        /// The field `timestamp`.
        pub timestamp: Timestamp,
        /// The field `bid`.
        pub bid: f64,
        /// The field `ask`.
        pub ask: f64,
        /// Units.
        pub bid_size: f64,
        /// Units.
        pub ask_size: f64,
        /// Number of the quote, from 0.
        pub index: u32,
        /// Number of the asset, from 0.
        pub asset: u16,
    }

    const _: () = {
        assert!(size_of::<ArchivedQuote>() == 48);
        assert!(align_of::<ArchivedQuote>() == 8);
        assert!(::std::mem::offset_of!(ArchivedQuote, timestamp) == 0);
        assert!(::std::mem::offset_of!(ArchivedQuote, bid) == 8);
        assert!(::std::mem::offset_of!(ArchivedQuote, ask) == 16);
        assert!(::std::mem::offset_of!(ArchivedQuote, bid_size) == 24);
        assert!(::std::mem::offset_of!(ArchivedQuote, ask_size) == 32);
        assert!(::std::mem::offset_of!(ArchivedQuote, index) == 40);
        assert!(::std::mem::offset_of!(ArchivedQuote, asset) == 44);
    };

    impl mycelium::Message for Quote {
        const NAME: &'static str = "Quote";
        const TYPE_ID: u16 = 103;
        const TOPIC: &'static str = "market.quotes";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0x877aafb27cd4af8a;

        fn validate(&self) -> Result<(), mycelium::ValidationError> {
            if !(self.bid.is_finite()) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "bid", &self.bid, "finite"));
            }
            if !(self.bid > 0.0) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "bid", &self.bid, "above 0.0"));
            }
            if !(self.ask.is_finite()) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "ask", &self.ask, "finite"));
            }
            if !(self.ask > 0.0) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "ask", &self.ask, "above 0.0"));
            }
            if !(self.bid_size.is_finite()) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "bid_size", &self.bid_size, "finite"));
            }
            if !(self.bid_size >= 0.0) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "bid_size", &self.bid_size, "at least 0.0"));
            }
            if !(self.ask_size.is_finite()) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "ask_size", &self.ask_size, "finite"));
            }
            if !(self.ask_size >= 0.0) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "ask_size", &self.ask_size, "at least 0.0"));
            }
            Ok(())
        }
    }

    impl wire::Wire for Quote {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 48, digest: 0x877aafb27cd4af8a },
        ];
    }

    /// A trade between others, as the exchange reports it.
    ///
    /// Topic `market.ticks`, type id 104, version 1, domain `market_data`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Tick {
        /// The field `timestamp`.
        pub timestamp: Timestamp,
        /// The field `price`.
        pub price: f64,
        /// Units.
        pub size: f64,
        /// Number of the tick, from 0.
        pub index: u32,
        /// Number of the asset, from 0.
        pub asset: u16,
    }

    const _: () = {
        assert!(size_of::<ArchivedTick>() == 32);
        assert!(align_of::<ArchivedTick>() == 8);
        assert!(::std::mem::offset_of!(ArchivedTick, timestamp) == 0);
        assert!(::std::mem::offset_of!(ArchivedTick, price) == 8);
        assert!(::std::mem::offset_of!(ArchivedTick, size) == 16);
        assert!(::std::mem::offset_of!(ArchivedTick, index) == 24);
        assert!(::std::mem::offset_of!(ArchivedTick, asset) == 28);
    };

    impl mycelium::Message for Tick {
        const NAME: &'static str = "Tick";
        const TYPE_ID: u16 = 104;
        const TOPIC: &'static str = "market.ticks";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0xcbb16e142588be03;

        fn validate(&self) -> Result<(), mycelium::ValidationError> {
            if !(self.price.is_finite()) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "price", &self.price, "finite"));
            }
            if !(self.price > 0.0) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "price", &self.price, "above 0.0"));
            }
            if !(self.size.is_finite()) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "size", &self.size, "finite"));
            }
            if !(self.size >= 0.0) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "size", &self.size, "at least 0.0"));
            }
            Ok(())
        }
    }

    impl wire::Wire for Tick {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 32, digest: 0xcbb16e142588be03 },
        ];
    }

    /// The best levels of a book, and the trade that has come just before, if there was one.
    ///
    /// Topic `market.depth`, type id 105, version 1, domain `market_data`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Depth {
        /// When the book was so.
        pub timestamp: Timestamp,
        /// Number of the snapshot, from 0.
        pub index: u32,
        /// Number of the asset, from 0.
        pub asset: u16,
        /// How many of the bids are levels.
        pub bid_count: u8,
        /// How many of the asks are levels.
        pub ask_count: u8,
        /// The trade; its size is 0 if there was none.
        pub last_trade: self::Level,
        /// What others bid, the highest price first; zeros behind the count.
        pub bid_levels: [self::Level; 10],
        /// What others ask, the lowest price first; zeros behind the count.
        pub ask_levels: [self::Level; 10],
    }

    const _: () = {
        assert!(size_of::<ArchivedDepth>() == 352);
        assert!(align_of::<ArchivedDepth>() == 8);
        assert!(::std::mem::offset_of!(ArchivedDepth, timestamp) == 0);
        assert!(::std::mem::offset_of!(ArchivedDepth, index) == 8);
        assert!(::std::mem::offset_of!(ArchivedDepth, asset) == 12);
        assert!(::std::mem::offset_of!(ArchivedDepth, bid_count) == 14);
        assert!(::std::mem::offset_of!(ArchivedDepth, ask_count) == 15);
        assert!(::std::mem::offset_of!(ArchivedDepth, last_trade) == 16);
        assert!(::std::mem::offset_of!(ArchivedDepth, bid_levels) == 32);
        assert!(::std::mem::offset_of!(ArchivedDepth, ask_levels) == 192);
    };

    impl mycelium::Message for Depth {
        const NAME: &'static str = "Depth";
        const TYPE_ID: u16 = 105;
        const TOPIC: &'static str = "market.depth";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0x46baee9865d01571;

        fn validate(&self) -> Result<(), mycelium::ValidationError> {
            if !(self.bid_count <= 10) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "bid_count", &self.bid_count, "at most 10"));
            }
            if !(self.ask_count <= 10) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "ask_count", &self.ask_count, "at most 10"));
            }
            self.last_trade.validate().map_err(|e| e.inside(Self::NAME, "last_trade"))?;
            for (at0, item0) in self.bid_levels.iter().enumerate() {
                item0.validate().map_err(|e| e.inside(Self::NAME, format!("{}[{at0}]", "bid_levels")))?;
            }
            for (at0, item0) in self.ask_levels.iter().enumerate() {
                item0.validate().map_err(|e| e.inside(Self::NAME, format!("{}[{at0}]", "ask_levels")))?;
            }
            Ok(())
        }
    }

    impl wire::Wire for Depth {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 352, digest: 0x46baee9865d01571 },
        ];
    }

    /// The events that follow, up to the last, become known together. A feed says it before them; one that comes without it is a moment of its own.
    ///
    /// Topic `market.moments`, type id 106, version 2, domain `market_data`.
    #[derive(Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Moment {
        /// When they become known: bars when they are over.
        pub known: Timestamp,
        /// Number of the last of them: its `index`.
        pub last: u32,
        /// The time to which the account is booked with them, from the begin of the last up to `known`. Any other, as zero, leaves it to who hears of them: of bars of several assets the last instant before they are known.
        pub booked: Timestamp,
    }

    impl Default for Moment {
        fn default() -> Self {
            Self {
                known: Default::default(),
                last: Default::default(),
                booked: Timestamp::from_nanos(0),
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedMoment>() == 24);
        assert!(align_of::<ArchivedMoment>() == 8);
        assert!(::std::mem::offset_of!(ArchivedMoment, known) == 0);
        assert!(::std::mem::offset_of!(ArchivedMoment, last) == 8);
        assert!(::std::mem::offset_of!(ArchivedMoment, booked) == 16);
    };

    impl Moment {
        /// A message with the contract's default in every field that has one.
        #[must_use]
        pub fn new(known: Timestamp, last: u32) -> Self {
            Self {
                known,
                last,
                booked: Timestamp::from_nanos(0),
            }
        }
    }

    impl mycelium::Message for Moment {
        const NAME: &'static str = "Moment";
        const TYPE_ID: u16 = 106;
        const TOPIC: &'static str = "market.moments";
        const VERSION: u16 = 2;
        const DIGEST: u64 = 0x7e56db732b6d619d;
    }

    impl wire::Wire for Moment {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 16, digest: 0x2fef7318e8aea599 },
            wire::Layout { version: 2, root_len: 24, digest: 0x7e56db732b6d619d },
        ];

        fn upgrade(bytes: &[u8], version: u16) -> Result<Self, wire::WireError> {
            match version {
                1 => {
                    let old: Moment_V1 = wire::decode_fixed_layout(Self::NAME, bytes)?;
                    Ok(Self {
                        known: old.known,
                        last: old.last,
                        booked: Timestamp::from_nanos(0),
                    })
                }
                _ => Err(wire::unknown_version::<Self>(version)),
            }
        }
    }

    /// `Moment` as its version 1 was laid out.
    #[derive(rkyv::Archive, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv)]
    struct Moment_V1 {
        known: Timestamp,
        last: u32,
    }

    const _: () = {
        assert!(size_of::<ArchivedMoment_V1>() == 16);
        assert!(align_of::<ArchivedMoment_V1>() == 8);
        assert!(::std::mem::offset_of!(ArchivedMoment_V1, known) == 0);
        assert!(::std::mem::offset_of!(ArchivedMoment_V1, last) == 8);
    };

    /// An order at the market, to be filled on the next bar.
    ///
    /// Topic `trading.orders`, type id 200, version 1, domain `trading`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Order {
        /// Start of the bar that it was decided on.
        pub timestamp: Timestamp,
        /// Units to trade; 0 means as many as the cash buys.
        pub units: i64,
        /// The field `kind`.
        pub kind: self::OrderKind,
    }

    const _: () = {
        assert!(size_of::<ArchivedOrder>() == 24);
        assert!(align_of::<ArchivedOrder>() == 8);
        assert!(::std::mem::offset_of!(ArchivedOrder, timestamp) == 0);
        assert!(::std::mem::offset_of!(ArchivedOrder, units) == 8);
        assert!(::std::mem::offset_of!(ArchivedOrder, kind) == 16);
    };

    impl mycelium::Message for Order {
        const NAME: &'static str = "Order";
        const TYPE_ID: u16 = 200;
        const TOPIC: &'static str = "trading.orders";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0xc6175b9fc368b5aa;

        fn validate(&self) -> Result<(), mycelium::ValidationError> {
            if !(self.units >= 0) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "units", &self.units, "at least 0"));
            }
            Ok(())
        }
    }

    impl wire::Wire for Order {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 24, digest: 0xc6175b9fc368b5aa },
        ];
    }

    /// An order was filled.
    ///
    /// Topic `trading.fills`, type id 201, version 1, domain `trading`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Fill {
        /// Start of the bar on which it was booked.
        pub timestamp: Timestamp,
        /// Change of the position.
        pub quantity: i64,
        /// Price, spread included.
        pub price: f64,
        /// In units of the currency.
        pub commission: f64,
        /// Number of the bar that the trade is counted on.
        pub index: u32,
        /// The field `kind`.
        pub kind: self::FillKind,
    }

    const _: () = {
        assert!(size_of::<ArchivedFill>() == 40);
        assert!(align_of::<ArchivedFill>() == 8);
        assert!(::std::mem::offset_of!(ArchivedFill, timestamp) == 0);
        assert!(::std::mem::offset_of!(ArchivedFill, quantity) == 8);
        assert!(::std::mem::offset_of!(ArchivedFill, price) == 16);
        assert!(::std::mem::offset_of!(ArchivedFill, commission) == 24);
        assert!(::std::mem::offset_of!(ArchivedFill, index) == 32);
        assert!(::std::mem::offset_of!(ArchivedFill, kind) == 36);
    };

    impl mycelium::Message for Fill {
        const NAME: &'static str = "Fill";
        const TYPE_ID: u16 = 201;
        const TOPIC: &'static str = "trading.fills";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0x3f68f1a084bab66a;

        fn validate(&self) -> Result<(), mycelium::ValidationError> {
            if !(self.price.is_finite()) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "price", &self.price, "finite"));
            }
            if !(self.price > 0.0) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "price", &self.price, "above 0.0"));
            }
            if !(self.commission.is_finite()) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "commission", &self.commission, "finite"));
            }
            Ok(())
        }
    }

    impl wire::Wire for Fill {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 40, digest: 0x3f68f1a084bab66a },
        ];
    }

    /// The exchange has closed what was open at the end. The last bar is to be valued again.
    ///
    /// Topic `trading.settlements`, type id 202, version 1, domain `trading`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Settlement {
        /// Start of the last bar.
        pub timestamp: Timestamp,
        /// Its close.
        pub price: f64,
    }

    const _: () = {
        assert!(size_of::<ArchivedSettlement>() == 16);
        assert!(align_of::<ArchivedSettlement>() == 8);
        assert!(::std::mem::offset_of!(ArchivedSettlement, timestamp) == 0);
        assert!(::std::mem::offset_of!(ArchivedSettlement, price) == 8);
    };

    impl mycelium::Message for Settlement {
        const NAME: &'static str = "Settlement";
        const TYPE_ID: u16 = 202;
        const TOPIC: &'static str = "trading.settlements";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0x1799e6d6bf7a1ba6;

        fn validate(&self) -> Result<(), mycelium::ValidationError> {
            if !(self.price.is_finite()) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "price", &self.price, "finite"));
            }
            if !(self.price >= 0.0) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "price", &self.price, "at least 0.0"));
            }
            Ok(())
        }
    }

    impl wire::Wire for Settlement {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 16, digest: 0x1799e6d6bf7a1ba6 },
        ];
    }

    /// An order of a strategy, with the orders that protect its position. A price of 0 is none.
    ///
    /// Topic `trading.new_orders`, type id 203, version 1, domain `trading`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct NewOrder {
        /// Number of the order. The two that follow belong to its stop loss and its take profit.
        pub order: u32,
        /// Number of the event that it was decided on. It is filled on later events alone.
        pub after: u32,
        /// Number of the asset, from 0.
        pub asset: u16,
        /// Its place, from 1, among orders of following numbers that cancel each other; 0 is no group.
        pub group: u16,
        /// The field `kind`.
        pub kind: self::OrderType,
        /// The field `unit`.
        pub unit: self::SizeUnit,
        /// The field `time_in_force`.
        pub time_in_force: self::TimeInForce,
        /// It closes and never opens.
        pub reduce_only: bool,
        /// What to trade; negative to sell.
        pub size: f64,
        /// The field `limit`.
        pub limit: f64,
        /// The field `stop`.
        pub stop: f64,
        /// Distance of a trailing stop in units of the price.
        pub trail: f64,
        /// The field `stop_loss`.
        pub stop_loss: f64,
        /// The field `take_profit`.
        pub take_profit: f64,
    }

    const _: () = {
        assert!(size_of::<ArchivedNewOrder>() == 64);
        assert!(align_of::<ArchivedNewOrder>() == 8);
        assert!(::std::mem::offset_of!(ArchivedNewOrder, order) == 0);
        assert!(::std::mem::offset_of!(ArchivedNewOrder, after) == 4);
        assert!(::std::mem::offset_of!(ArchivedNewOrder, asset) == 8);
        assert!(::std::mem::offset_of!(ArchivedNewOrder, group) == 10);
        assert!(::std::mem::offset_of!(ArchivedNewOrder, kind) == 12);
        assert!(::std::mem::offset_of!(ArchivedNewOrder, unit) == 13);
        assert!(::std::mem::offset_of!(ArchivedNewOrder, time_in_force) == 14);
        assert!(::std::mem::offset_of!(ArchivedNewOrder, reduce_only) == 15);
        assert!(::std::mem::offset_of!(ArchivedNewOrder, size) == 16);
        assert!(::std::mem::offset_of!(ArchivedNewOrder, limit) == 24);
        assert!(::std::mem::offset_of!(ArchivedNewOrder, stop) == 32);
        assert!(::std::mem::offset_of!(ArchivedNewOrder, trail) == 40);
        assert!(::std::mem::offset_of!(ArchivedNewOrder, stop_loss) == 48);
        assert!(::std::mem::offset_of!(ArchivedNewOrder, take_profit) == 56);
    };

    impl mycelium::Message for NewOrder {
        const NAME: &'static str = "NewOrder";
        const TYPE_ID: u16 = 203;
        const TOPIC: &'static str = "trading.new_orders";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0xd96c88a71b465ba3;

        fn validate(&self) -> Result<(), mycelium::ValidationError> {
            if !(self.size.is_finite()) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "size", &self.size, "finite"));
            }
            if !(self.limit.is_finite()) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "limit", &self.limit, "finite"));
            }
            if !(self.limit >= 0.0) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "limit", &self.limit, "at least 0.0"));
            }
            if !(self.stop.is_finite()) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "stop", &self.stop, "finite"));
            }
            if !(self.stop >= 0.0) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "stop", &self.stop, "at least 0.0"));
            }
            if !(self.trail.is_finite()) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "trail", &self.trail, "finite"));
            }
            if !(self.trail >= 0.0) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "trail", &self.trail, "at least 0.0"));
            }
            if !(self.stop_loss.is_finite()) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "stop_loss", &self.stop_loss, "finite"));
            }
            if !(self.stop_loss >= 0.0) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "stop_loss", &self.stop_loss, "at least 0.0"));
            }
            if !(self.take_profit.is_finite()) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "take_profit", &self.take_profit, "finite"));
            }
            if !(self.take_profit >= 0.0) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "take_profit", &self.take_profit, "at least 0.0"));
            }
            Ok(())
        }
    }

    impl wire::Wire for NewOrder {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 64, digest: 0x841a463855d6021c },
        ];
        const ENUMS: &'static [wire::GrownEnum<'static>] = &[
            wire::GrownEnum { name: "SizeUnit", first: 6, variants: &["TargetValue"] },
        ];
    }

    /// An order is no longer wanted.
    ///
    /// Topic `trading.cancels`, type id 204, version 1, domain `trading`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct CancelOrder {
        /// The field `order`.
        pub order: u32,
        /// Number of the event that it was decided on.
        pub after: u32,
    }

    const _: () = {
        assert!(size_of::<ArchivedCancelOrder>() == 8);
        assert!(align_of::<ArchivedCancelOrder>() == 4);
        assert!(::std::mem::offset_of!(ArchivedCancelOrder, order) == 0);
        assert!(::std::mem::offset_of!(ArchivedCancelOrder, after) == 4);
    };

    impl mycelium::Message for CancelOrder {
        const NAME: &'static str = "CancelOrder";
        const TYPE_ID: u16 = 204;
        const TOPIC: &'static str = "trading.cancels";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0x5d18796335422dbc;
    }

    impl wire::Wire for CancelOrder {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 8, digest: 0x5d18796335422dbc },
        ];
    }

    /// What became of an order.
    ///
    /// Topic `trading.order_updates`, type id 205, version 1, domain `trading`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct OrderUpdate {
        /// The field `order`.
        pub order: u32,
        /// Number of the bar.
        pub index: u32,
        /// The field `status`.
        pub status: self::OrderStatus,
        /// The field `cause`.
        pub cause: self::OrderCause,
        /// What could be spent, if the cause is money.
        pub money: f64,
        /// Price of a lot with its costs, if the cause is money.
        pub price: f64,
    }

    const _: () = {
        assert!(size_of::<ArchivedOrderUpdate>() == 32);
        assert!(align_of::<ArchivedOrderUpdate>() == 8);
        assert!(::std::mem::offset_of!(ArchivedOrderUpdate, order) == 0);
        assert!(::std::mem::offset_of!(ArchivedOrderUpdate, index) == 4);
        assert!(::std::mem::offset_of!(ArchivedOrderUpdate, status) == 8);
        assert!(::std::mem::offset_of!(ArchivedOrderUpdate, cause) == 9);
        assert!(::std::mem::offset_of!(ArchivedOrderUpdate, money) == 16);
        assert!(::std::mem::offset_of!(ArchivedOrderUpdate, price) == 24);
    };

    impl mycelium::Message for OrderUpdate {
        const NAME: &'static str = "OrderUpdate";
        const TYPE_ID: u16 = 205;
        const TOPIC: &'static str = "trading.order_updates";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0x590d11e3342969dd;

        fn validate(&self) -> Result<(), mycelium::ValidationError> {
            if !(self.money.is_finite()) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "money", &self.money, "finite"));
            }
            if !(self.price.is_finite()) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "price", &self.price, "finite"));
            }
            Ok(())
        }
    }

    impl wire::Wire for OrderUpdate {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 32, digest: 0xd59263a9132da354 },
        ];
        const ENUMS: &'static [wire::GrownEnum<'static>] = &[
            wire::GrownEnum { name: "OrderCause", first: 15, variants: &["NoPrice"] },
        ];
    }

    /// A trade was opened, or closed in whole or in part.
    ///
    /// Topic `trading.executions`, type id 206, version 1, domain `trading`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Execution {
        /// Start of the bar.
        pub timestamp: Timestamp,
        /// Number of the order; 0 if the exchange closed the trade by itself.
        pub order: u32,
        /// Number of the trade, from 1.
        pub trade: u32,
        /// Number of the bar.
        pub index: u32,
        /// The field `kind`.
        pub kind: self::FillKind,
        /// Number of the asset, from 0.
        pub asset: u16,
        /// Change of the position in lots.
        pub quantity: i64,
        /// Price with its costs.
        pub price: f64,
        /// The field `commission`.
        pub commission: f64,
        /// Realised cash afterwards.
        pub cash: f64,
        /// Value of the asset's position at its entry prices.
        pub cost: f64,
    }

    const _: () = {
        assert!(size_of::<ArchivedExecution>() == 64);
        assert!(align_of::<ArchivedExecution>() == 8);
        assert!(::std::mem::offset_of!(ArchivedExecution, timestamp) == 0);
        assert!(::std::mem::offset_of!(ArchivedExecution, order) == 8);
        assert!(::std::mem::offset_of!(ArchivedExecution, trade) == 12);
        assert!(::std::mem::offset_of!(ArchivedExecution, index) == 16);
        assert!(::std::mem::offset_of!(ArchivedExecution, kind) == 20);
        assert!(::std::mem::offset_of!(ArchivedExecution, asset) == 22);
        assert!(::std::mem::offset_of!(ArchivedExecution, quantity) == 24);
        assert!(::std::mem::offset_of!(ArchivedExecution, price) == 32);
        assert!(::std::mem::offset_of!(ArchivedExecution, commission) == 40);
        assert!(::std::mem::offset_of!(ArchivedExecution, cash) == 48);
        assert!(::std::mem::offset_of!(ArchivedExecution, cost) == 56);
    };

    impl mycelium::Message for Execution {
        const NAME: &'static str = "Execution";
        const TYPE_ID: u16 = 206;
        const TOPIC: &'static str = "trading.executions";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0x98c0bd1ecae4e055;

        fn validate(&self) -> Result<(), mycelium::ValidationError> {
            if !(self.price.is_finite()) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "price", &self.price, "finite"));
            }
            if !(self.commission.is_finite()) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "commission", &self.commission, "finite"));
            }
            if !(self.cash.is_finite()) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "cash", &self.cash, "finite"));
            }
            if !(self.cost.is_finite()) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "cost", &self.cost, "finite"));
            }
            Ok(())
        }
    }

    impl wire::Wire for Execution {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 64, digest: 0x98c0bd1ecae4e055 },
        ];
    }

    /// The exchange has published everything that it filled in a bar, quote or tick.
    ///
    /// Topic `trading.bars_done`, type id 207, version 1, domain `trading`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct BarDone {
        /// Number of the event.
        pub index: u32,
        /// Instructions that the exchange has heard so far.
        pub heard: u32,
        /// It will say so for the next event too, whether or not it hears more.
        pub attentive: bool,
    }

    const _: () = {
        assert!(size_of::<ArchivedBarDone>() == 12);
        assert!(align_of::<ArchivedBarDone>() == 4);
        assert!(::std::mem::offset_of!(ArchivedBarDone, index) == 0);
        assert!(::std::mem::offset_of!(ArchivedBarDone, heard) == 4);
        assert!(::std::mem::offset_of!(ArchivedBarDone, attentive) == 8);
    };

    impl mycelium::Message for BarDone {
        const NAME: &'static str = "BarDone";
        const TYPE_ID: u16 = 207;
        const TOPIC: &'static str = "trading.bars_done";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0x7b34b79d705aaa21;
    }

    impl wire::Wire for BarDone {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 12, digest: 0x7b34b79d705aaa21 },
        ];
    }

    /// The account has paid or earned something without a trade.
    ///
    /// Topic `trading.charges`, type id 208, version 1, domain `trading`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Charge {
        /// When it was due.
        pub timestamp: Timestamp,
        /// Number of the event.
        pub index: u32,
        /// Number of the asset, from 0.
        pub asset: u16,
        /// The field `kind`.
        pub kind: self::ChargeKind,
        /// Paid; negative if earned.
        pub amount: f64,
        /// Realised cash afterwards.
        pub cash: f64,
    }

    const _: () = {
        assert!(size_of::<ArchivedCharge>() == 32);
        assert!(align_of::<ArchivedCharge>() == 8);
        assert!(::std::mem::offset_of!(ArchivedCharge, timestamp) == 0);
        assert!(::std::mem::offset_of!(ArchivedCharge, index) == 8);
        assert!(::std::mem::offset_of!(ArchivedCharge, asset) == 12);
        assert!(::std::mem::offset_of!(ArchivedCharge, kind) == 14);
        assert!(::std::mem::offset_of!(ArchivedCharge, amount) == 16);
        assert!(::std::mem::offset_of!(ArchivedCharge, cash) == 24);
    };

    impl mycelium::Message for Charge {
        const NAME: &'static str = "Charge";
        const TYPE_ID: u16 = 208;
        const TOPIC: &'static str = "trading.charges";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0x343339ac3d7964d1;

        fn validate(&self) -> Result<(), mycelium::ValidationError> {
            if !(self.amount.is_finite()) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "amount", &self.amount, "finite"));
            }
            if !(self.cash.is_finite()) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "cash", &self.cash, "finite"));
            }
            Ok(())
        }
    }

    impl wire::Wire for Charge {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 32, digest: 0x442b795d2321e630 },
        ];
        const ENUMS: &'static [wire::GrownEnum<'static>] = &[
            wire::GrownEnum { name: "ChargeKind", first: 3, variants: &["WriteOff", "Dividend"] },
        ];
    }

    /// Events of a history that trader and exchange have in memory have happened. The trader takes them one by one.
    ///
    /// Topic `trading.stretches`, type id 209, version 1, domain `trading`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Stretch {
        /// Number of the first event.
        pub first: u32,
        /// How many.
        pub count: u32,
    }

    const _: () = {
        assert!(size_of::<ArchivedStretch>() == 8);
        assert!(align_of::<ArchivedStretch>() == 4);
        assert!(::std::mem::offset_of!(ArchivedStretch, first) == 0);
        assert!(::std::mem::offset_of!(ArchivedStretch, count) == 4);
    };

    impl mycelium::Message for Stretch {
        const NAME: &'static str = "Stretch";
        const TYPE_ID: u16 = 209;
        const TOPIC: &'static str = "trading.stretches";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0x224751ab84cfdb44;
    }

    impl wire::Wire for Stretch {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 8, digest: 0x224751ab84cfdb44 },
        ];
    }

    /// Every type of fixed size; the padding between the fields is part of the test.
    ///
    /// Topic `kitchen.scalars`, type id 900, version 1, domain `kitchen_sink`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Scalars {
        /// The field `flag`.
        pub flag: bool,
        /// The field `a`.
        pub a: u8,
        /// The field `b`.
        pub b: u16,
        /// The field `c`.
        pub c: u32,
        /// The field `d`.
        pub d: u64,
        /// The field `e`.
        pub e: i8,
        /// The field `f`.
        pub f: i16,
        /// The field `g`.
        pub g: i32,
        /// The field `h`.
        pub h: i64,
        /// The field `i`.
        pub i: f32,
        /// The field `j`.
        pub j: f64,
        /// The field `at`.
        pub at: Timestamp,
        /// The field `amount`.
        pub amount: Decimal,
        /// The field `wide`.
        pub wide: U256,
        /// The field `signed`.
        pub signed: I256,
        /// The field `digest`.
        pub digest: [u8; 32],
        /// The field `matrix`.
        pub matrix: [[f32; 3]; 2],
        /// The field `colour`.
        pub colour: self::Colour,
        /// The field `point`.
        pub point: self::Point,
        /// The field `maybe`.
        pub maybe: Option<u16>,
        /// The field `maybe_colour`.
        pub maybe_colour: Option<self::Colour>,
        /// The field `maybe_point`.
        pub maybe_point: Option<self::Point>,
    }

    const _: () = {
        assert!(size_of::<ArchivedScalars>() == 224);
        assert!(align_of::<ArchivedScalars>() == 8);
        assert!(::std::mem::offset_of!(ArchivedScalars, flag) == 0);
        assert!(::std::mem::offset_of!(ArchivedScalars, a) == 1);
        assert!(::std::mem::offset_of!(ArchivedScalars, b) == 2);
        assert!(::std::mem::offset_of!(ArchivedScalars, c) == 4);
        assert!(::std::mem::offset_of!(ArchivedScalars, d) == 8);
        assert!(::std::mem::offset_of!(ArchivedScalars, e) == 16);
        assert!(::std::mem::offset_of!(ArchivedScalars, f) == 18);
        assert!(::std::mem::offset_of!(ArchivedScalars, g) == 20);
        assert!(::std::mem::offset_of!(ArchivedScalars, h) == 24);
        assert!(::std::mem::offset_of!(ArchivedScalars, i) == 32);
        assert!(::std::mem::offset_of!(ArchivedScalars, j) == 40);
        assert!(::std::mem::offset_of!(ArchivedScalars, at) == 48);
        assert!(::std::mem::offset_of!(ArchivedScalars, amount) == 56);
        assert!(::std::mem::offset_of!(ArchivedScalars, wide) == 72);
        assert!(::std::mem::offset_of!(ArchivedScalars, signed) == 104);
        assert!(::std::mem::offset_of!(ArchivedScalars, digest) == 136);
        assert!(::std::mem::offset_of!(ArchivedScalars, matrix) == 168);
        assert!(::std::mem::offset_of!(ArchivedScalars, colour) == 192);
        assert!(::std::mem::offset_of!(ArchivedScalars, point) == 196);
        assert!(::std::mem::offset_of!(ArchivedScalars, maybe) == 204);
        assert!(::std::mem::offset_of!(ArchivedScalars, maybe_colour) == 208);
        assert!(::std::mem::offset_of!(ArchivedScalars, maybe_point) == 212);
    };

    impl mycelium::Message for Scalars {
        const NAME: &'static str = "Scalars";
        const TYPE_ID: u16 = 900;
        const TOPIC: &'static str = "kitchen.scalars";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0x63d88de6d68685fd;
    }

    impl wire::Wire for Scalars {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 224, digest: 0x051bc247305a94ff },
        ];
        const ENUMS: &'static [wire::GrownEnum<'static>] = &[
            wire::GrownEnum { name: "Colour", first: 2, variants: &["Blue"] },
        ];
    }

    /// Every type whose values lie outside the root.
    ///
    /// Topic `kitchen.lists`, type id 901, version 1, domain `kitchen_sink`.
    #[derive(Clone, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub struct Lists {
        /// The field `text`.
        pub text: String,
        /// The field `data`.
        pub data: Vec<u8>,
        /// The field `numbers`.
        pub numbers: Vec<u64>,
        /// The field `names`.
        pub names: Vec<String>,
        /// The field `nested`.
        pub nested: Vec<Vec<i16>>,
        /// The field `points`.
        pub points: Vec<self::Point>,
        /// The field `people`.
        pub people: Vec<self::Person>,
        /// The field `shape`.
        pub shape: self::Shape,
        /// The field `shapes`.
        pub shapes: Vec<self::Shape>,
        /// The field `maybe_text`.
        pub maybe_text: Option<String>,
        /// The field `maybe_list`.
        pub maybe_list: Option<Vec<u32>>,
        /// The field `options`.
        pub options: Vec<Option<u64>>,
        /// The field `pair`.
        pub pair: [String; 2],
    }

    const _: () = {
        assert!(size_of::<ArchivedLists>() == 136);
        assert!(align_of::<ArchivedLists>() == 8);
        assert!(::std::mem::offset_of!(ArchivedLists, text) == 0);
        assert!(::std::mem::offset_of!(ArchivedLists, data) == 8);
        assert!(::std::mem::offset_of!(ArchivedLists, numbers) == 16);
        assert!(::std::mem::offset_of!(ArchivedLists, names) == 24);
        assert!(::std::mem::offset_of!(ArchivedLists, nested) == 32);
        assert!(::std::mem::offset_of!(ArchivedLists, points) == 40);
        assert!(::std::mem::offset_of!(ArchivedLists, people) == 48);
        assert!(::std::mem::offset_of!(ArchivedLists, shape) == 56);
        assert!(::std::mem::offset_of!(ArchivedLists, shapes) == 80);
        assert!(::std::mem::offset_of!(ArchivedLists, maybe_text) == 88);
        assert!(::std::mem::offset_of!(ArchivedLists, maybe_list) == 100);
        assert!(::std::mem::offset_of!(ArchivedLists, options) == 112);
        assert!(::std::mem::offset_of!(ArchivedLists, pair) == 120);
    };

    impl mycelium::Message for Lists {
        const NAME: &'static str = "Lists";
        const TYPE_ID: u16 = 901;
        const TOPIC: &'static str = "kitchen.lists";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0x7b1ab3c539d1ffaf;

        fn validate(&self) -> Result<(), mycelium::ValidationError> {
            for (at0, item0) in self.people.iter().enumerate() {
                item0.validate().map_err(|e| e.inside(Self::NAME, format!("{}[{at0}]", "people")))?;
            }
            Ok(())
        }
    }

    impl wire::Wire for Lists {
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 136, digest: 0x7b1ab3c539d1ffaf },
        ];
    }

    /// Every validation rule.
    ///
    /// Topic `kitchen.rules`, type id 902, version 1, domain `kitchen_sink`.
    #[derive(Clone, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub struct Rules {
        /// The field `percent`.
        pub percent: u8,
        /// The field `temperature`.
        pub temperature: f32,
        /// The field `ratio`.
        pub ratio: f64,
        /// The field `lot`.
        pub lot: i64,
        /// The field `price`.
        pub price: Decimal,
        /// The field `balance`.
        pub balance: U256,
        /// The field `delta`.
        pub delta: I256,
        /// The field `not_before`.
        pub not_before: Timestamp,
        /// The field `currency`.
        pub currency: String,
        /// The field `paint`.
        pub paint: self::Colour,
        /// The field `symbol`.
        pub symbol: String,
        /// The field `key`.
        pub key: Vec<u8>,
        /// The field `weights`.
        pub weights: Vec<f64>,
        /// The field `codes`.
        pub codes: [u16; 3],
        /// The field `alias`.
        pub alias: Option<String>,
    }

    const _: () = {
        assert!(size_of::<ArchivedRules>() == 168);
        assert!(align_of::<ArchivedRules>() == 8);
        assert!(::std::mem::offset_of!(ArchivedRules, percent) == 0);
        assert!(::std::mem::offset_of!(ArchivedRules, temperature) == 4);
        assert!(::std::mem::offset_of!(ArchivedRules, ratio) == 8);
        assert!(::std::mem::offset_of!(ArchivedRules, lot) == 16);
        assert!(::std::mem::offset_of!(ArchivedRules, price) == 24);
        assert!(::std::mem::offset_of!(ArchivedRules, balance) == 40);
        assert!(::std::mem::offset_of!(ArchivedRules, delta) == 72);
        assert!(::std::mem::offset_of!(ArchivedRules, not_before) == 104);
        assert!(::std::mem::offset_of!(ArchivedRules, currency) == 112);
        assert!(::std::mem::offset_of!(ArchivedRules, paint) == 120);
        assert!(::std::mem::offset_of!(ArchivedRules, symbol) == 124);
        assert!(::std::mem::offset_of!(ArchivedRules, key) == 132);
        assert!(::std::mem::offset_of!(ArchivedRules, weights) == 140);
        assert!(::std::mem::offset_of!(ArchivedRules, codes) == 148);
        assert!(::std::mem::offset_of!(ArchivedRules, alias) == 156);
    };

    impl mycelium::Message for Rules {
        const NAME: &'static str = "Rules";
        const TYPE_ID: u16 = 902;
        const TOPIC: &'static str = "kitchen.rules";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0x974216065496c596;

        fn validate(&self) -> Result<(), mycelium::ValidationError> {
            if !(self.percent <= 100) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "percent", &self.percent, "at most 100"));
            }
            if !(self.temperature > -273.15) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "temperature", &self.temperature, "above -273.15"));
            }
            if !(self.temperature.is_finite()) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "temperature", &self.temperature, "finite"));
            }
            if !(self.ratio >= 0.0) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "ratio", &self.ratio, "at least 0.0"));
            }
            if !(self.ratio < 1.0) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "ratio", &self.ratio, "below 1.0"));
            }
            if !(self.lot % 100 == 0) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "lot", &self.lot, "a multiple of 100"));
            }
            if !(self.lot != 0) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "lot", &self.lot, "other than zero"));
            }
            if !(self.price >= const { Decimal::from_parts(false, 1, 2).expect("the contract was checked") }) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "price", &self.price, "at least 0.01"));
            }
            if !(self.price <= const { Decimal::from_parts(false, 1000000, 0).expect("the contract was checked") }) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "price", &self.price, "at most 1000000"));
            }
            if !(self.balance >= U256::from_limbs([1, 0, 0, 0])) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "balance", &self.balance, "at least 1"));
            }
            if !(self.balance <= U256::from_limbs([18446744073709551615, 18446744073709551615, 0, 0])) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "balance", &self.balance, "at most 340282366920938463463374607431768211455"));
            }
            if !(self.delta >= I256::from_limbs([18446744073709550616, 18446744073709551615, 18446744073709551615, 18446744073709551615])) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "delta", &self.delta, "at least -1000"));
            }
            if !(self.delta <= I256::from_limbs([1000, 0, 0, 0])) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "delta", &self.delta, "at most 1000"));
            }
            if !(self.not_before >= Timestamp::from_nanos(1577836800000000000)) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "not_before", &self.not_before, "at least 1577836800000000000"));
            }
            if !(["EUR", "USD", "CHF"].contains(&self.currency.as_str())) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "currency", &self.currency, "one of \"EUR\", \"USD\", \"CHF\""));
            }
            if !([self::Colour::Red, self::Colour::Green].contains(&self.paint)) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "paint", &self.paint, "one of Red, Green"));
            }
            if !(self.symbol.len() > 0) {
                return Err(mycelium::ValidationError::broken_length(Self::NAME, "symbol", self.symbol.len(), "at least 1"));
            }
            if !(self.symbol.len() <= 12) {
                return Err(mycelium::ValidationError::broken_length(Self::NAME, "symbol", self.symbol.len(), "at most 12"));
            }
            if !(self.symbol.bytes().all(|b| (0x20..=0x7e).contains(&b))) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "symbol", &self.symbol, "printable ASCII"));
            }
            if !(self.key.len() >= 4) {
                return Err(mycelium::ValidationError::broken_length(Self::NAME, "key", self.key.len(), "at least 4"));
            }
            if !(self.key.len() <= 32) {
                return Err(mycelium::ValidationError::broken_length(Self::NAME, "key", self.key.len(), "at most 32"));
            }
            if !(self.weights.len() > 0) {
                return Err(mycelium::ValidationError::broken_length(Self::NAME, "weights", self.weights.len(), "at least 1"));
            }
            if !(self.weights.len() <= 8) {
                return Err(mycelium::ValidationError::broken_length(Self::NAME, "weights", self.weights.len(), "at most 8"));
            }
            for (at0, item0) in self.weights.iter().enumerate() {
                if !(item0.is_finite()) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, format!("{}[{at0}]", "weights"), &*item0, "finite"));
                }
                if !(*item0 >= 0.0) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, format!("{}[{at0}]", "weights"), &*item0, "at least 0.0"));
                }
            }
            for (at0, item0) in self.codes.iter().enumerate() {
                if !(*item0 >= 100) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, format!("{}[{at0}]", "codes"), &*item0, "at least 100"));
                }
                if !(*item0 <= 999) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, format!("{}[{at0}]", "codes"), &*item0, "at most 999"));
                }
            }
            if let Some(value0) = &self.alias {
                if !(value0.len() >= 2) {
                    return Err(mycelium::ValidationError::broken_length(Self::NAME, "alias", value0.len(), "at least 2"));
                }
            }
            Ok(())
        }
    }

    impl wire::Wire for Rules {
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 168, digest: 0x7130b03b0fa7cfff },
        ];
        const ENUMS: &'static [wire::GrownEnum<'static>] = &[
            wire::GrownEnum { name: "Colour", first: 2, variants: &["Blue"] },
        ];
    }

    /// A message in its third version; a default of every kind.
    ///
    /// Topic `kitchen.evolved`, type id 903, version 3, domain `kitchen_sink`.
    /// A bus with this contract retains the last one of each `id`.
    #[derive(Clone, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub struct Evolved {
        /// The field `id`.
        pub id: u64,
        /// The field `small`.
        pub small: u8,
        /// The field `note`.
        pub note: String,
        /// The field `level`.
        pub level: i16,
        /// The field `rate`.
        pub rate: f64,
        /// The field `parent`.
        pub parent: Option<u64>,
        /// The field `live`.
        pub live: bool,
        /// The field `amount`.
        pub amount: Decimal,
        /// The field `wide`.
        pub wide: U256,
        /// The field `started`.
        pub started: Timestamp,
        /// The field `raw`.
        pub raw: Vec<u8>,
        /// The field `list`.
        pub list: Vec<u32>,
        /// The field `grid`.
        pub grid: [u8; 4],
        /// The field `colour`.
        pub colour: self::Colour,
        /// The field `point`.
        pub point: self::Point,
        /// The field `shape`.
        pub shape: self::Shape,
        /// The field `limit`.
        pub limit: Option<u32>,
    }

    impl Default for Evolved {
        fn default() -> Self {
            Self {
                id: Default::default(),
                small: Default::default(),
                note: String::from("none"),
                level: -7,
                rate: 0.5,
                parent: None,
                live: true,
                amount: const { Decimal::from_parts(false, 1250, 2).expect("the contract was checked") },
                wide: U256::from_limbs([255, 0, 0, 0]),
                started: Timestamp::from_nanos(1706693400000000000),
                raw: vec![222, 173, 190, 239],
                list: vec![1, 2, 3],
                grid: [9, 9, 9, 9],
                colour: self::Colour::Green,
                point: self::Point { x: 1, y: -1 },
                shape: self::Shape::Circle { radius: 1.0 },
                limit: Some(10),
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedEvolved>() == 176);
        assert!(align_of::<ArchivedEvolved>() == 8);
        assert!(::std::mem::offset_of!(ArchivedEvolved, id) == 0);
        assert!(::std::mem::offset_of!(ArchivedEvolved, small) == 8);
        assert!(::std::mem::offset_of!(ArchivedEvolved, note) == 12);
        assert!(::std::mem::offset_of!(ArchivedEvolved, level) == 20);
        assert!(::std::mem::offset_of!(ArchivedEvolved, rate) == 24);
        assert!(::std::mem::offset_of!(ArchivedEvolved, parent) == 32);
        assert!(::std::mem::offset_of!(ArchivedEvolved, live) == 48);
        assert!(::std::mem::offset_of!(ArchivedEvolved, amount) == 56);
        assert!(::std::mem::offset_of!(ArchivedEvolved, wide) == 72);
        assert!(::std::mem::offset_of!(ArchivedEvolved, started) == 104);
        assert!(::std::mem::offset_of!(ArchivedEvolved, raw) == 112);
        assert!(::std::mem::offset_of!(ArchivedEvolved, list) == 120);
        assert!(::std::mem::offset_of!(ArchivedEvolved, grid) == 128);
        assert!(::std::mem::offset_of!(ArchivedEvolved, colour) == 132);
        assert!(::std::mem::offset_of!(ArchivedEvolved, point) == 136);
        assert!(::std::mem::offset_of!(ArchivedEvolved, shape) == 144);
        assert!(::std::mem::offset_of!(ArchivedEvolved, limit) == 168);
    };

    impl Evolved {
        /// A message with the contract's default in every field that has one.
        #[must_use]
        pub fn new(id: u64, small: u8) -> Self {
            Self {
                id,
                small,
                note: String::from("none"),
                level: -7,
                rate: 0.5,
                parent: None,
                live: true,
                amount: const { Decimal::from_parts(false, 1250, 2).expect("the contract was checked") },
                wide: U256::from_limbs([255, 0, 0, 0]),
                started: Timestamp::from_nanos(1706693400000000000),
                raw: vec![222, 173, 190, 239],
                list: vec![1, 2, 3],
                grid: [9, 9, 9, 9],
                colour: self::Colour::Green,
                point: self::Point { x: 1, y: -1 },
                shape: self::Shape::Circle { radius: 1.0 },
                limit: Some(10),
            }
        }
    }

    impl mycelium::Message for Evolved {
        const NAME: &'static str = "Evolved";
        const TYPE_ID: u16 = 903;
        const TOPIC: &'static str = "kitchen.evolved";
        const VERSION: u16 = 3;
        const DIGEST: u64 = 0x4245a9f9d2ea65b4;
    }

    impl wire::Wire for Evolved {
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 16, digest: 0xff11e05157c25981 },
            wire::Layout { version: 2, root_len: 48, digest: 0x3cd3067b4ab68c10 },
            wire::Layout { version: 3, root_len: 176, digest: 0x09452016b5b8c68b },
        ];
        const ENUMS: &'static [wire::GrownEnum<'static>] = &[
            wire::GrownEnum { name: "Colour", first: 2, variants: &["Blue"] },
        ];
        const RETAIN: Option<wire::DeclaredRetention<Self>> = Some(wire::DeclaredRetention::LastPerKey { key: |message| message.id as u64, keys_max: 1000 });

        fn upgrade(bytes: &[u8], version: u16) -> Result<Self, wire::WireError> {
            match version {
                1 => {
                    let old: Evolved_V1 = wire::decode_fixed_layout(Self::NAME, bytes)?;
                    Ok(Self {
                        id: old.id,
                        small: old.small,
                        note: String::from("none"),
                        level: -7,
                        rate: 0.5,
                        parent: None,
                        live: true,
                        amount: const { Decimal::from_parts(false, 1250, 2).expect("the contract was checked") },
                        wide: U256::from_limbs([255, 0, 0, 0]),
                        started: Timestamp::from_nanos(1706693400000000000),
                        raw: vec![222, 173, 190, 239],
                        list: vec![1, 2, 3],
                        grid: [9, 9, 9, 9],
                        colour: self::Colour::Green,
                        point: self::Point { x: 1, y: -1 },
                        shape: self::Shape::Circle { radius: 1.0 },
                        limit: Some(10),
                    })
                }
                2 => {
                    let old: Evolved_V2 = wire::decode_layout(Self::NAME, bytes)?;
                    Ok(Self {
                        id: old.id,
                        small: old.small,
                        note: old.note,
                        level: old.level,
                        rate: old.rate,
                        parent: old.parent,
                        live: true,
                        amount: const { Decimal::from_parts(false, 1250, 2).expect("the contract was checked") },
                        wide: U256::from_limbs([255, 0, 0, 0]),
                        started: Timestamp::from_nanos(1706693400000000000),
                        raw: vec![222, 173, 190, 239],
                        list: vec![1, 2, 3],
                        grid: [9, 9, 9, 9],
                        colour: self::Colour::Green,
                        point: self::Point { x: 1, y: -1 },
                        shape: self::Shape::Circle { radius: 1.0 },
                        limit: Some(10),
                    })
                }
                _ => Err(wire::unknown_version::<Self>(version)),
            }
        }
    }

    /// `Evolved` as its version 1 was laid out.
    #[derive(rkyv::Archive, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv)]
    struct Evolved_V1 {
        id: u64,
        small: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedEvolved_V1>() == 16);
        assert!(align_of::<ArchivedEvolved_V1>() == 8);
        assert!(::std::mem::offset_of!(ArchivedEvolved_V1, id) == 0);
        assert!(::std::mem::offset_of!(ArchivedEvolved_V1, small) == 8);
    };

    /// `Evolved` as its version 2 was laid out.
    #[derive(rkyv::Archive, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv)]
    struct Evolved_V2 {
        id: u64,
        small: u8,
        note: String,
        level: i16,
        rate: f64,
        parent: Option<u64>,
    }

    const _: () = {
        assert!(size_of::<ArchivedEvolved_V2>() == 48);
        assert!(align_of::<ArchivedEvolved_V2>() == 8);
        assert!(::std::mem::offset_of!(ArchivedEvolved_V2, id) == 0);
        assert!(::std::mem::offset_of!(ArchivedEvolved_V2, small) == 8);
        assert!(::std::mem::offset_of!(ArchivedEvolved_V2, note) == 12);
        assert!(::std::mem::offset_of!(ArchivedEvolved_V2, level) == 20);
        assert!(::std::mem::offset_of!(ArchivedEvolved_V2, rate) == 24);
        assert!(::std::mem::offset_of!(ArchivedEvolved_V2, parent) == 32);
    };

    /// A query.
    ///
    /// Topic `kitchen.lookups`, type id 904, version 1, domain `kitchen_sink`.
    /// It is answered by a [`Evolved`].
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Lookup {
        /// The field `id`.
        pub id: u64,
    }

    const _: () = {
        assert!(size_of::<ArchivedLookup>() == 8);
        assert!(align_of::<ArchivedLookup>() == 8);
        assert!(::std::mem::offset_of!(ArchivedLookup, id) == 0);
    };

    impl mycelium::Message for Lookup {
        const NAME: &'static str = "Lookup";
        const TYPE_ID: u16 = 904;
        const TOPIC: &'static str = "kitchen.lookups";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0xa585ca7540933900;
    }

    impl mycelium::Query for Lookup {
        type Reply = self::Evolved;
    }

    impl wire::Wire for Lookup {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 8, digest: 0xa585ca7540933900 },
        ];
        const REPLY: Option<u16> = Some(<self::Evolved as mycelium::Message>::TYPE_ID);
    }

    /// The messages of the contract: see [`CONTRACT`].
    #[derive(Clone, Copy, Debug)]
    pub struct Contract_;

    /// The messages of the contract, for a bus that frames go through: `MessageBus::builder().contract(CONTRACT)`.
    pub const CONTRACT: Contract_ = Contract_;

    impl Contract_ {
        /// What is known of each message without its type, in the order of the contract.
        pub const ENTRIES: &'static [wire::Entry] = &[
            wire::Entry::of::<Bar>(),
            wire::Entry::of::<Close>(),
            wire::Entry::of::<SessionEnd>(),
            wire::Entry::of::<Quote>(),
            wire::Entry::of::<Tick>(),
            wire::Entry::of::<Depth>(),
            wire::Entry::of::<Moment>(),
            wire::Entry::of::<Order>(),
            wire::Entry::of::<Fill>(),
            wire::Entry::of::<Settlement>(),
            wire::Entry::of::<NewOrder>(),
            wire::Entry::of::<CancelOrder>(),
            wire::Entry::of::<OrderUpdate>(),
            wire::Entry::of::<Execution>(),
            wire::Entry::of::<BarDone>(),
            wire::Entry::of::<Charge>(),
            wire::Entry::of::<Stretch>(),
            wire::Entry::of::<Scalars>(),
            wire::Entry::of::<Lists>(),
            wire::Entry::of::<Rules>(),
            wire::Entry::of::<Evolved>(),
            wire::Entry::of::<Lookup>(),
        ];
    }

    impl wire::Messages for Contract_ {
        fn each<Visitor_: wire::Visitor>(&self, visitor: &mut Visitor_) {
            visitor.typed::<Bar>();
            visitor.typed::<Close>();
            visitor.typed::<SessionEnd>();
            visitor.typed::<Quote>();
            visitor.typed::<Tick>();
            visitor.typed::<Depth>();
            visitor.typed::<Moment>();
            visitor.typed::<Order>();
            visitor.typed::<Fill>();
            visitor.typed::<Settlement>();
            visitor.typed::<NewOrder>();
            visitor.typed::<CancelOrder>();
            visitor.typed::<OrderUpdate>();
            visitor.typed::<Execution>();
            visitor.typed::<BarDone>();
            visitor.typed::<Charge>();
            visitor.typed::<Stretch>();
            visitor.typed::<Scalars>();
            visitor.typed::<Lists>();
            visitor.typed::<Rules>();
            visitor.typed::<Evolved>();
            visitor.typed::<Lookup>();
        }
    }
}

#[allow(unused_imports, unreachable_pub)]
pub use self::generated_contracts::*;
