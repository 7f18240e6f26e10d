//! What a Parquet file claims of its own sizes, looked at before the parser believes it.
//!
//! The parser makes room for as many fields as a group claims to have and calls itself for groups in groups, makes room for a text as long
//! as a page's description says, for a page and for a dictionary as large as they claim, and unpacks Brotli and Deflate to wherever they end.
//! All of that is compared with the file's own size here, from its bytes.

use std::io::{Read, Seek, SeekFrom};

use ::parquet::basic::Compression;
use ::parquet::file::metadata::ColumnChunkMetaData;
use flate2::read::MultiGzDecoder;

use super::thrift::{Kind, Result, Stop, Thrift, wrong};

/// What is wrong, for people.
type Checked<T = ()> = std::result::Result<T, String>;

/// Groups in groups, so deep.
const MAX_DEPTH: usize = 64;
/// A page may be so large, whatever it is packed to,
const MAX_PAGE_BYTES: u64 = 64 << 20;
/// and so many times as large as what it is packed to, which is more than Deflate ever needs.
const MOST_PACKED: u64 = 1100;
/// A page's description, with the least and the largest text in it.
const MAX_HEADER_BYTES: usize = 1 << 20;
/// Elements of lists that a column may have,
const MAX_ELEMENTS: u64 = 16 << 20;
/// and so many in each of its bytes.
const MOST_ELEMENTS: u64 = 2048;
/// Rows that any file may have,
const MAX_ROWS: u64 = 1 << 20;
/// and so many in each of its bytes: with less than a bit for eight of them they say nothing.
const MOST_ROWS: u64 = 64;
/// Deflate is trusted with so many bytes: they are a GiB at most.
const TRUSTED_BYTES: u64 = 1 << 20;

/// Can a file of so many bytes have these rows?
pub fn may_have(rows: u64, bytes: u64) -> bool {
    rows <= MAX_ROWS.saturating_add(bytes.saturating_mul(MOST_ROWS))
}

/// The columns that a file's description has are in it, and not too deep.
pub fn check_description(bytes: &[u8]) -> Checked {
    let read = Thrift::new(bytes).fields(&mut |thrift, id, kind| match (id, kind) {
        (2, Kind::List) => check_schema(thrift),
        _ => thrift.skip(kind),
    });
    read.map_err(|stop| match stop {
        Stop::Short => "its description ends too early".to_owned(),
        Stop::Wrong(what) => format!("its description {what}"),
    })
}

/// Each group stands before its fields.
fn check_schema(thrift: &mut Thrift<'_>) -> Result<()> {
    let (kind, count) = thrift.list()?;
    if kind != Kind::Struct && count > 0 {
        return Err(wrong("has columns that are none"));
    }
    // How many fields are still to come of each group that is open.
    let mut open = vec![1];
    for _ in 0..count {
        let mut fields = 0;
        thrift.fields(&mut |thrift, id, kind| match (id, kind) {
            (5, Kind::Integer) => thrift.integer().map(|claim| fields = claim),
            _ => thrift.skip(kind),
        })?;
        let fields = usize::try_from(fields).ok().filter(|fields| *fields < count);
        let fields = fields.ok_or_else(|| wrong(format!("has a group of more fields than all of its {count}")))?;
        while open.last() == Some(&0) {
            open.pop();
        }
        let Some(left) = open.last_mut() else { return Err(wrong("has fields of no group")) };
        *left -= 1;
        if fields > 0 {
            open.push(fields);
        }
        if open.len() > MAX_DEPTH {
            return Err(wrong(format!("has groups in groups more than {MAX_DEPTH} deep")));
        }
    }
    Ok(())
}

/// What a page says of itself.
#[derive(Debug, Default)]
struct Page {
    /// Of its description.
    header_bytes: u64,
    bytes: i64,
    packed_bytes: i64,
    /// Of a page of data.
    values: i64,
    /// Of a dictionary.
    words: i64,
    /// Bytes of the levels that stand before what is packed.
    levels: [i64; 2],
    is_plain: bool,
}

/// The pages of a column are as large as what is in them lets them be.
pub fn check_pages(file: &mut (impl Read + Seek), column: &ColumnChunkMetaData) -> Checked {
    let (start, length) = column.byte_range();
    let (end, mut at, mut elements) = (start.saturating_add(length), start, 0_u64);
    while at < end {
        let page = header(file, at, end).map_err(|stop| match stop {
            Stop::Short => "a page ends too early".to_owned(),
            Stop::Wrong(what) => format!("a page {what}"),
        })?;
        at += page.header_bytes;
        let packed = size(page.packed_bytes).filter(|packed| *packed <= end - at).ok_or("a page ends too early")?;
        let claim = size(page.bytes).ok_or("a page claims less than no bytes")?;
        let is_packed = column.compression() != Compression::UNCOMPRESSED && !page.is_plain;
        let bytes = if is_packed { claim } else { packed };
        if bytes > MAX_PAGE_BYTES.max(packed.saturating_mul(MOST_PACKED)) {
            return Err(format!("a page of {packed} bytes claims to be {bytes} when it is unpacked"));
        }
        if size(page.words).is_none_or(|words| words > bytes) {
            return Err(format!("a dictionary of {bytes} bytes claims {} values", page.words));
        }
        if is_packed && !is_as_large(file, column.compression(), at, packed, &page)? {
            return Err(format!("a page of {packed} bytes is not the {bytes} bytes that it claims to be"));
        }
        elements = elements.saturating_add(size(page.values).unwrap_or(u64::MAX));
        at += packed;
    }
    let is_list = column.column_descr().max_rep_level() > 0;
    if is_list && elements > MAX_ELEMENTS.saturating_add(length.saturating_mul(MOST_ELEMENTS)) {
        return Err(format!("its {length} bytes claim {elements} elements of lists"));
    }
    Ok(())
}

fn size(claim: i64) -> Option<u64> {
    u64::try_from(claim).ok()
}

/// The description of the page at a place, of which as much is read as it needs.
fn header(file: &mut (impl Read + Seek), at: u64, end: u64) -> Result<Page> {
    let mut bytes = Vec::new();
    let mut wanted = 256;
    loop {
        read(file, at, (end - at).min(wanted as u64), &mut bytes)?;
        match parse(&bytes) {
            Err(Stop::Short) if bytes.len() == wanted && wanted < MAX_HEADER_BYTES => wanted *= 8,
            other => return other,
        }
    }
}

fn parse(bytes: &[u8]) -> Result<Page> {
    let (mut thrift, mut page) = (Thrift::new(bytes), Page::default());
    thrift.fields(&mut |thrift, id, kind| match (id, kind) {
        (2, Kind::Integer) => thrift.integer().map(|claim| page.bytes = claim),
        (3, Kind::Integer) => thrift.integer().map(|claim| page.packed_bytes = claim),
        (5, Kind::Struct) => thrift.fields(&mut |thrift, id, kind| match (id, kind) {
            (1, Kind::Integer) => thrift.integer().map(|claim| page.values = claim),
            _ => thrift.skip(kind),
        }),
        (7, Kind::Struct) => thrift.fields(&mut |thrift, id, kind| match (id, kind) {
            (1, Kind::Integer) => thrift.integer().map(|claim| page.words = claim),
            _ => thrift.skip(kind),
        }),
        (8, Kind::Struct) => {
            // Of two the parser takes the second.
            (page.levels, page.is_plain) = ([0; 2], false);
            thrift.fields(&mut |thrift, id, kind| match (id, kind) {
                (1, Kind::Integer) => thrift.integer().map(|claim| page.values = claim),
                (5, Kind::Integer) => thrift.integer().map(|bytes| page.levels[0] = bytes),
                (6, Kind::Integer) => thrift.integer().map(|bytes| page.levels[1] = bytes),
                (7, Kind::True | Kind::False) => {
                    page.is_plain = kind == Kind::False;
                    Ok(())
                }
                _ => thrift.skip(kind),
            })
        }
        _ => thrift.skip(kind),
    })?;
    page.header_bytes = (bytes.len() - thrift.left()) as u64;
    Ok(page)
}

/// Is a page that is packed in a way which does not end by itself as large as it claims? The others cannot be larger.
fn is_as_large(file: &mut (impl Read + Seek), codec: Compression, at: u64, packed: u64, page: &Page) -> Checked<bool> {
    let is_trusted = match codec {
        Compression::BROTLI(_) => false,
        Compression::GZIP(_) => packed <= TRUSTED_BYTES,
        _ => true,
    };
    let plain = size(page.levels[0]).zip(size(page.levels[1])).and_then(|(a, b)| a.checked_add(b));
    let plain = plain.filter(|plain| *plain <= packed);
    let (Some(plain), Some(claim)) = (plain, plain.and_then(|plain| size(page.bytes)?.checked_sub(plain))) else {
        return Ok(false);
    };
    // Nothing is unpacked where nothing is to come of it.
    if is_trusted || claim == 0 {
        return Ok(true);
    }
    let mut bytes = Vec::new();
    read(file, at + plain, packed - plain, &mut bytes).map_err(|_| "a page ends too early")?;
    let unpacked: Box<dyn Read> = match codec {
        Compression::BROTLI(_) => Box::new(brotli::Decompressor::new(&bytes[..], 4096)),
        _ => Box::new(MultiGzDecoder::new(&bytes[..])),
    };
    Ok(std::io::copy(&mut unpacked.take(claim + 1), &mut std::io::sink()).is_ok_and(|found| found == claim))
}

fn read(file: &mut (impl Read + Seek), at: u64, count: u64, into: &mut Vec<u8>) -> Result<()> {
    into.clear();
    let read = file.seek(SeekFrom::Start(at)).and_then(|_| file.by_ref().take(count).read_to_end(into));
    read.map_err(|e| wrong(format!("cannot be read ({e})")))?;
    if into.len() as u64 == count { Ok(()) } else { Err(Stop::Short) }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use ::parquet::basic::{GzipLevel, Type as Physical};
    use ::parquet::schema::types::{ColumnDescriptor, ColumnPath, Type};

    use super::*;

    /// An integer of a struct, which is so much behind the field before it.
    fn integer(behind: u8, value: i64) -> Vec<u8> {
        let (mut bits, mut bytes) = ((value << 1 ^ value >> 63) as u64, vec![behind << 4 | 5]);
        while bits > 127 {
            bytes.push(bits as u8 | 128);
            bits >>= 7;
        }
        bytes.push(bits as u8);
        bytes
    }

    /// A description with a schema, of which each group says how many fields it has.
    fn description(groups: &[i64]) -> Vec<u8> {
        let nodes: Vec<u8> = groups.iter().flat_map(|fields| [integer(5, *fields), vec![0]].concat()).collect();
        [&integer(1, 2)[..], &[0x19, 0xfc, groups.len() as u8], &nodes, &[0]].concat()
    }

    #[test]
    fn groups_have_the_fields_that_they_claim() {
        let check = |groups: &[i64], expected: std::result::Result<(), &str>| {
            let found = check_description(&description(groups));
            assert_eq!(found, expected.map_err(|what| format!("its description {what}")), "{groups:?}");
        };
        check(&[2, 0, 2, 0, 0], Ok(()));
        check(&[0], Ok(()));
        check(&[2, 0, 5, 0, 0], Err("has a group of more fields than all of its 5"));
        check(&[2, -1, 0], Err("has a group of more fields than all of its 3"));
        check(&[1, 0, 1, 0], Err("has fields of no group"));
        check(&[[1; 63].as_slice(), &[0]].concat(), Ok(()));
        check(&[[1; 64].as_slice(), &[0]].concat(), Err("has groups in groups more than 64 deep"));
        assert_eq!(check_description(&description(&[1, 0])[..5]), Err("its description ends too early".to_owned()));
    }

    /// A page: its size, what it is packed to, and what else it says.
    fn page(bytes: i64, packed: &[u8], more: &[u8]) -> Vec<u8> {
        [&integer(1, 0), &integer(1, bytes), &integer(1, packed.len() as i64), more, &[0], packed].concat()
    }

    fn check(codec: Compression, repeated: i16, page: &[u8], expected: std::result::Result<(), &str>) {
        let leaf = Type::primitive_type_builder("x", Physical::INT32).build().unwrap();
        let leaf = ColumnDescriptor::new(leaf.into(), repeated, repeated, ColumnPath::from("x"));
        let column = ColumnChunkMetaData::builder(leaf.into()).set_compression(codec).set_data_page_offset(4);
        let column = column.set_total_compressed_size(page.len() as i64).build().unwrap();
        let found = check_pages(&mut Cursor::new([b"PAR1", page, b"more"].concat()), &column);
        match expected {
            Ok(()) => assert_eq!(found, Ok(())),
            Err(part) => assert!(found.as_ref().is_err_and(|e| e.contains(part)), "{found:?}"),
        }
    }

    #[test]
    fn pages_are_not_larger_than_they_can_be() {
        let (snappy, most) = (Compression::SNAPPY, (MAX_PAGE_BYTES + 1) as i64);
        check(snappy, 0, &page(100, &[0; 10], &[]), Ok(()));
        check(
            snappy,
            0,
            &page(most, &[0; 10], &[]),
            Err("a page of 10 bytes claims to be 67108865 when it is unpacked"),
        );
        check(snappy, 0, &page(most, &[0; 65_536], &[]), Ok(()));
        check(snappy, 0, &page(-1, &[0; 10], &[]), Err("claims less than no bytes"));
        // Nothing is made of what such a page claims.
        check(Compression::UNCOMPRESSED, 0, &page(most, &[0; 10], &[]), Ok(()));
        // Two pages, the second of which is longer than the column; a description that the column's end cuts.
        let two = [page(9, &[0; 9], &[]), page(9, &[0; 9], &[])].concat();
        check(snappy, 0, &two, Ok(()));
        check(snappy, 0, &two[..two.len() - 1], Err("a page ends too early"));
        check(snappy, 0, &two[..page(9, &[0; 9], &[]).len() + 3], Err("a page ends too early"));
    }

    #[test]
    fn dictionaries_and_lists_are_not_longer_than_they_can_be() {
        let words = |count: i64| [&[0x4c][..], &integer(1, count), &[0]].concat();
        check(Compression::SNAPPY, 0, &page(100, &[0; 10], &words(100)), Ok(()));
        check(Compression::SNAPPY, 0, &page(100, &[0; 10], &words(101)), Err("of 100 bytes claims 101 values"));
        check(Compression::UNCOMPRESSED, 0, &page(100, &[0; 10], &words(11)), Err("of 10 bytes claims 11 values"));
        let values = |count: i64| [&[0x2c][..], &integer(1, count), &[0]].concat();
        let most = MAX_ELEMENTS as i64 + 100 * MOST_ELEMENTS as i64;
        check(Compression::SNAPPY, 1, &page(100, &[0; 10], &values(most / 2)), Ok(()));
        check(Compression::SNAPPY, 1, &page(100, &[0; 10], &values(most)), Err("elements of lists"));
        check(Compression::SNAPPY, 0, &page(100, &[0; 10], &values(most)), Ok(()));
    }

    /// Where the way of packing says how long a page is, and not its description.
    #[test]
    fn pages_end_where_they_claim() {
        let text = [b'x'; 1000];
        let mut brotli = Vec::new();
        brotli::CompressorWriter::new(&mut brotli, 4096, 1, 20).write_all(&text).unwrap();
        let codec = Compression::BROTLI(Default::default());
        check(codec, 0, &page(1000, &brotli, &[]), Ok(()));
        for claim in [0, 1, 999, 1001] {
            let expected = if claim == 0 { Ok(()) } else { Err("is not the") };
            check(codec, 0, &page(claim, &brotli, &[]), expected);
        }
        // Levels stand before what is packed; a page may be plain, whatever its column is.
        let levels = |more: &[u8]| [&[0x5c][..], &integer(5, 2), &integer(1, 1), more, &[0]].concat();
        let with_levels = [&[0; 3][..], &brotli].concat();
        check(codec, 0, &page(1003, &with_levels, &levels(&[])), Ok(()));
        check(codec, 0, &page(1002, &with_levels, &levels(&[])), Err("is not the"));
        check(codec, 0, &page(1002, &with_levels, &levels(&[0x12])), Ok(()));
        check(codec, 0, &page(1002, &with_levels, &levels(&[0x11])), Err("is not the"));
        // Of Deflate only long ones are looked at.
        let gzip = Compression::GZIP(GzipLevel::default());
        check(gzip, 0, &page(1, &[0; 100], &[]), Ok(()));
        check(gzip, 0, &page(1, &vec![0; TRUSTED_BYTES as usize + 1], &[]), Err("is not the"));
    }

    #[test]
    fn rows_say_something() {
        assert!(may_have(1 << 20, 0) && may_have(10 << 20, 1 << 20) && !may_have(66 << 20, 1 << 20));
    }
}
