//! Integer tables of cumulative frequencies: their construction, validation and use.
