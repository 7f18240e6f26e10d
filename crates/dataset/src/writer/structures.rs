//! HDF5's structures as bytes, as the format's specification (version 3) names them: those of files since HDF5 1.10, little-endian,
//! addresses and sizes of eight bytes.

use super::checksum::checksum;

/// The address of nothing.
const UNDEFINED: u64 = u64::MAX;
/// Bytes of the superblock.
pub const SUPERBLOCK_BYTES: u64 = 48;
/// Longest text of an attribute inside an object header (64 KiB with what describes it).
const MAX_INLINE_TEXT: usize = 60_000;
/// Entries of an index of more than one page are in pages of this many.
const PAGE_BITS: u8 = 10;
const PAGE: usize = 1 << PAGE_BITS;
/// A filter may be left out where it gains nothing; the reader is told chunk by chunk.
const OPTIONAL: u16 = 1;
const DEFLATE: u16 = 1;
const SHUFFLE: u16 = 2;

/// The elements of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    F32,
    I32,
    U8,
}

impl Element {
    pub fn bytes(self) -> usize {
        if self == Self::U8 { 1 } else { 4 }
    }

    fn datatype(self) -> Vec<u8> {
        match self {
            // Sign at bit 31, implied leading bit; exponent of 8 bits at 23, mantissa of 23 at 0, bias 127.
            Self::F32 => {
                [&[0x11, 0x20, 0x1f, 0, 4, 0, 0, 0, 0, 0, 32, 0, 23, 8, 0, 23][..], &127_u32.to_le_bytes()].concat()
            }
            Self::I32 => vec![0x10, 0x08, 0, 0, 4, 0, 0, 0, 0, 0, 32, 0],
            Self::U8 => vec![0x10, 0, 0, 0, 1, 0, 0, 0, 0, 0, 8, 0],
        }
    }
}

/// Where a compressed chunk is.
#[derive(Clone, Copy, Debug)]
pub struct Chunk {
    pub address: u64,
    pub bytes: u64,
}

/// A column whose chunks are cut along its rows.
#[derive(Clone, Copy, Debug)]
pub struct Shape<'a> {
    pub rows: u64,
    /// Of one row.
    pub row: &'a [usize],
    pub chunk_rows: u64,
    pub element: Element,
}

impl Shape<'_> {
    fn sizes(self, first: u64) -> Vec<u64> {
        [first].into_iter().chain(self.row.iter().map(|size| *size as u64)).collect()
    }

    fn chunk_bytes(self) -> u64 {
        self.sizes(self.chunk_rows).iter().product::<u64>() * self.element.bytes() as u64
    }
}

/// What a file starts with.
pub fn superblock(end: u64, root: u64) -> Vec<u8> {
    let mut bytes = b"\x89HDF\r\n\x1a\n".to_vec();
    bytes.extend([3, 8, 8, 0]);
    [0, UNDEFINED, end, root].iter().for_each(|address| bytes.extend(address.to_le_bytes()));
    with_checksum(bytes)
}

/// The index of a column's chunks, a fixed array; it will lie at `address`.
pub fn index(shape: Shape<'_>, chunks: &[Chunk], address: u64) -> Vec<u8> {
    const FILTERED: u8 = 1;
    const HEADER_BYTES: u64 = 28;
    let size_bytes = size_bytes(shape.chunk_bytes());
    let mut header = b"FAHD\0".to_vec();
    header.extend([FILTERED, (8 + size_bytes + 4) as u8, PAGE_BITS]);
    [chunks.len() as u64, address + HEADER_BYTES].iter().for_each(|n| header.extend(n.to_le_bytes()));
    let entries = |chunks: &[Chunk]| {
        let entry = |c: &Chunk| [&c.address.to_le_bytes()[..], &c.bytes.to_le_bytes()[..size_bytes], &[0; 4]].concat();
        chunks.iter().flat_map(entry).collect::<Vec<u8>>()
    };
    let mut block = b"FADB\0".to_vec();
    block.push(FILTERED);
    block.extend(address.to_le_bytes());
    let pages: Vec<&[Chunk]> = chunks.chunks(PAGE).collect();
    let mut bytes = with_checksum(header);
    if let [only] = pages[..] {
        block.extend(entries(only));
        bytes.extend(with_checksum(block));
    } else {
        // A bit a page, the highest first: it is there.
        block.extend(pages.chunks(8).map(|pages| 0xff_u8 << (8 - pages.len())));
        bytes.extend(with_checksum(block));
        pages.iter().for_each(|page| bytes.extend(with_checksum(entries(page))));
    }
    bytes
}

/// Bytes of a chunk's size in an index: one more than the size of a chunk that is not compressed needs.
fn size_bytes(chunk_bytes: u64) -> usize {
    (1 + width(chunk_bytes)).min(8)
}

/// The least number of bytes that hold `value`.
fn width(value: u64) -> usize {
    (u64::BITS - value.leading_zeros()).div_ceil(8).max(1) as usize
}

/// The object of a column whose chunks' index lies at `index`, with so many names.
pub fn column(shape: Shape<'_>, level: u32, index: u64, names: u32) -> Vec<u8> {
    const INCREMENTAL_IF_SET: u8 = 3 | 2 << 2;
    let mut messages = vec![
        (DATASPACE, dataspace(&shape.sizes(shape.rows))),
        (DATATYPE, shape.element.datatype()),
        (FILL_VALUE, vec![3, INCREMENTAL_IF_SET]),
        (LAYOUT, layout(shape, index)),
        (FILTERS, filters(shape.element, level)),
    ];
    if names > 1 {
        messages.push((NAMES, [&[0][..], &names.to_le_bytes()].concat()));
    }
    object(&messages)
}

fn dataspace(sizes: &[u64]) -> Vec<u8> {
    let simple = u8::from(!sizes.is_empty());
    let mut bytes = vec![2, sizes.len() as u8, 0, simple];
    sizes.iter().for_each(|size| bytes.extend(size.to_le_bytes()));
    bytes
}

fn layout(shape: Shape<'_>, index: u64) -> Vec<u8> {
    const CHUNKED: u8 = 2;
    const FIXED_ARRAY: u8 = 3;
    let mut sizes = shape.sizes(shape.chunk_rows);
    sizes.push(shape.element.bytes() as u64);
    // Of 1, 2, 4 or 8 bytes, which hdf5-pure reads. HDF5 2.0 insists on the least: it refuses rows of more than 65535 elements.
    let width = sizes.iter().map(|size| width(*size)).max().unwrap_or(1).next_power_of_two();
    let mut bytes = vec![4, CHUNKED, 0, sizes.len() as u8, width as u8];
    sizes.iter().for_each(|size| bytes.extend(&size.to_le_bytes()[..width]));
    bytes.extend([FIXED_ARRAY, PAGE_BITS]);
    bytes.extend(index.to_le_bytes());
    bytes
}

fn filters(element: Element, level: u32) -> Vec<u8> {
    let shuffle = (element.bytes() > 1).then_some((SHUFFLE, element.bytes() as u32));
    let filters: Vec<_> = shuffle.into_iter().chain([(DEFLATE, level)]).collect();
    let mut bytes = vec![2, filters.len() as u8];
    for (filter, value) in filters {
        [filter, OPTIONAL, 1].iter().for_each(|x| bytes.extend(x.to_le_bytes()));
        bytes.extend(value.to_le_bytes());
    }
    bytes
}

/// The root group: names with addresses, and one text. Also what must lie at `heap` for it, if anything.
pub fn root(links: &[(&str, u64)], name: &str, text: &str, heap: u64) -> (Vec<u8>, Vec<u8>) {
    let mut messages = vec![
        (LINK_INFO, [&[0, 0][..], &UNDEFINED.to_le_bytes(), &UNDEFINED.to_le_bytes()].concat()),
        (GROUP_INFO, vec![0, 0]),
    ];
    for (link, address) in links {
        messages.push((LINK, [&[1, 0, link.len() as u8][..], link.as_bytes(), &address.to_le_bytes()].concat()));
    }
    let size = (text.len() as u32).to_le_bytes();
    let (datatype, value, heaped) = if text.len() <= MAX_INLINE_TEXT {
        // UTF-8, filled up with zeros.
        ([&[0x13, 0x11, 0, 0][..], &size].concat(), text.as_bytes().to_vec(), Vec::new())
    } else {
        // UTF-8 of variable length, of bytes.
        let datatype = [&[0x19, 1, 1, 0, 16, 0, 0, 0][..], &Element::U8.datatype()].concat();
        (datatype, [&size[..], &heap.to_le_bytes(), &1_u32.to_le_bytes()].concat(), global_heap(text))
    };
    messages.push((ATTRIBUTE, attribute(name, &datatype, &value)));
    (object(&messages), heaped)
}

fn attribute(name: &str, datatype: &[u8], value: &[u8]) -> Vec<u8> {
    const UTF8: u8 = 1;
    let scalar = dataspace(&[]);
    let mut bytes = vec![3, 0];
    [name.len() + 1, datatype.len(), scalar.len()].iter().for_each(|n| bytes.extend((*n as u16).to_le_bytes()));
    bytes.push(UTF8);
    [name.as_bytes(), &[0], datatype, &scalar, value].iter().for_each(|part| bytes.extend_from_slice(part));
    bytes
}

/// A collection of one object, which is number 1.
fn global_heap(text: &str) -> Vec<u8> {
    let filled = text.len().next_multiple_of(8);
    let mut bytes = b"GCOL\x01\0\0\0".to_vec();
    bytes.extend((32 + filled as u64).to_le_bytes());
    bytes.extend([1, 0, 1, 0, 0, 0, 0, 0]);
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes.resize(32 + filled, 0);
    bytes
}

const DATASPACE: u8 = 0x01;
const LINK_INFO: u8 = 0x02;
const DATATYPE: u8 = 0x03;
const FILL_VALUE: u8 = 0x05;
const LINK: u8 = 0x06;
const LAYOUT: u8 = 0x08;
const GROUP_INFO: u8 = 0x0a;
const FILTERS: u8 = 0x0b;
const ATTRIBUTE: u8 = 0x0c;
const NAMES: u8 = 0x16;

/// An object's header of these messages, each below 64 KiB.
fn object(messages: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let size: u64 = messages.iter().map(|(_, message)| 4 + message.len() as u64).sum();
    // One, two or four bytes: 0, 1 or 2.
    let log_width = width(size).next_power_of_two().trailing_zeros() as u8;
    let mut bytes = b"OHDR\x02".to_vec();
    bytes.push(log_width);
    bytes.extend(&size.to_le_bytes()[..1 << log_width]);
    for (kind, message) in messages {
        bytes.push(*kind);
        bytes.extend((message.len() as u16).to_le_bytes());
        bytes.push(0);
        bytes.extend(message);
    }
    with_checksum(bytes)
}

fn with_checksum(mut bytes: Vec<u8>) -> Vec<u8> {
    let sum = checksum(&bytes);
    bytes.extend(sum.to_le_bytes());
    bytes
}
