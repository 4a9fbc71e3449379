//! Shuffles by masks, for instruction sets that cannot compress a register.

/// For a mask of 8 lanes: a shuffle that moves the other lanes' words to the end of 16 bytes, in order.
pub(super) static GATHER: [[u8; 16]; 256] = {
    let mut table = [[0x80; 16]; 256];
    let mut mask = 0usize;
    while mask < 256 {
        let (mut at, mut lane) = (2 * mask.count_ones() as usize, 0);
        while lane < 8 {
            if mask >> lane & 1 == 0 {
                table[mask][at] = 2 * lane;
                table[mask][at + 1] = 2 * lane + 1;
                at += 2;
            }
            lane += 1;
        }
        mask += 1;
    }
    table
};
