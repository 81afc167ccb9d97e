// Share of distinct words in the predictions, 0 to 1: a metric in Rust without crates.
//
// The example of a pack in another language than C: abi.rs says the structs, this file fills the
// table. The state is the set of words and the count of all words and rows. A panic aborts the
// worker (panic=abort), so nothing unwinds across the border; no code here is meant to panic.
mod abi;

use abi::*;
use std::collections::BTreeSet;
use std::ffi::c_void;

#[derive(Default)]
struct Distinct {
    rows: u64,
    words: u64,
    seen: BTreeSet<Vec<u8>>, // ordered, so that the state has one form
}

unsafe extern "C" fn create(_config: View, out: *mut *mut Distinct, _error: *mut Error) -> Status {
    *out = Box::into_raw(Box::default());
    OK
}

unsafe extern "C" fn destroy(instance: *mut Distinct) {
    if !instance.is_null() {
        drop(Box::from_raw(instance));
    }
}

unsafe extern "C" fn describe(_: *const Distinct, out: *mut Facts, _: *mut Error) -> Status {
    (*out).flags = 1; // higher is better
    (*out).value_min = 0.0;
    (*out).value_max = 1.0;
    OK
}

// A struct schema owns its one column and the list that names it.
struct Columns {
    list: [*mut ArrowSchema; 1],
    column: ArrowSchema,
}

fn schema(format: &'static [u8], name: &'static [u8]) -> ArrowSchema {
    ArrowSchema {
        format: format.as_ptr(),
        name: name.as_ptr(),
        metadata: std::ptr::null(),
        flags: 0,
        n_children: 0,
        children: std::ptr::null_mut(),
        dictionary: std::ptr::null_mut(),
        release: Some(release_column),
        private_data: std::ptr::null_mut(),
    }
}

unsafe extern "C" fn release_column(schema: *mut ArrowSchema) {
    (*schema).release = None; // its texts are static
}

unsafe extern "C" fn release_struct(schema: *mut ArrowSchema) {
    drop(Box::from_raw((*schema).private_data as *mut Columns));
    (*schema).release = None;
}

unsafe extern "C" fn requires_schema(
    _: *const Distinct,
    out: *mut ArrowSchema,
    _: *mut Error,
) -> Status {
    let columns = Box::into_raw(Box::new(Columns {
        list: [std::ptr::null_mut()],
        column: schema(b"u\0", b"prediction\0"),
    }));
    (*columns).list[0] = &mut (*columns).column;
    *out = schema(b"+s\0", b"\0");
    (*out).n_children = 1;
    (*out).children = (*columns).list.as_mut_ptr();
    (*out).private_data = columns as *mut c_void;
    (*out).release = Some(release_struct);
    OK
}

unsafe extern "C" fn update(
    instance: *mut Distinct,
    batch: *const ArrowArray,
    _scores: *mut Sink,
    error: *mut Error,
) -> Status {
    let batch = &*batch;
    if batch.n_children != 1 {
        return fail(error, INVALID_ARGUMENT, "The batch must have one column, \"prediction\".");
    }
    if batch.length == 0 {
        return OK;
    }
    let column = &**batch.children;
    let offsets = *column.buffers.add(1) as *const i32;
    let data = *column.buffers.add(2) as *const u8;
    let first = (batch.offset + column.offset) as usize;
    let this = &mut *instance;
    for row in first..first + batch.length as usize {
        let (begin, end) = (*offsets.add(row), *offsets.add(row + 1));
        if begin < end {
            let text = std::slice::from_raw_parts(data.add(begin as usize), (end - begin) as usize);
            for word in text.split(|byte| *byte == b' ').filter(|word| !word.is_empty()) {
                this.words += 1;
                if !this.seen.contains(word) {
                    this.seen.insert(word.to_vec());
                }
            }
        }
        this.rows += 1;
    }
    OK
}

// State: rows, words, then each distinct word as length and bytes; all lengths u64, little-endian.
unsafe extern "C" fn save(instance: *const Distinct, state: *mut Sink, _: *mut Error) -> Status {
    let this = &*instance;
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&this.rows.to_le_bytes());
    bytes.extend_from_slice(&this.words.to_le_bytes());
    for word in &this.seen {
        bytes.extend_from_slice(&(word.len() as u64).to_le_bytes());
        bytes.extend_from_slice(word);
    }
    ((*state).write)(state, bytes.as_ptr(), bytes.len() as u64)
}

fn take_u64(from: &mut &[u8]) -> Option<u64> {
    let head = <[u8; 8]>::try_from(from.get(..8)?).ok()?;
    *from = &from[8..];
    Some(u64::from_le_bytes(head))
}

fn parse(mut from: &[u8]) -> Option<Distinct> {
    let mut parsed = Distinct { rows: take_u64(&mut from)?, words: take_u64(&mut from)?, ..Default::default() };
    while !from.is_empty() {
        let size = usize::try_from(take_u64(&mut from)?).ok()?;
        let word = from.get(..size)?;
        from = &from[size..];
        if !parsed.seen.insert(word.to_vec()) {
            return None;
        }
    }
    (parsed.seen.len() as u64 <= parsed.words).then_some(parsed)
}

unsafe extern "C" fn merge(instance: *mut Distinct, state: View, error: *mut Error) -> Status {
    let this = &mut *instance;
    let other = match parse(state.bytes()) {
        Some(other) => other,
        None => return fail(error, DATA_LOSS, "The state is damaged: it does not parse."),
    };
    let (rows, words) =
        match (this.rows.checked_add(other.rows), this.words.checked_add(other.words)) {
            (Some(rows), Some(words)) => (rows, words),
            _ => return fail(error, DATA_LOSS, "The state is damaged: its counts are too large."),
        };
    this.rows = rows;
    this.words = words;
    this.seen.extend(other.seen);
    OK
}

unsafe extern "C" fn finalize(
    instance: *const Distinct,
    give: GiveRow,
    user: *mut c_void,
    _: *mut Error,
) -> Status {
    let this = &*instance;
    let row = Row {
        struct_size: std::mem::size_of::<Row>() as u32,
        flags: 0,
        name: View::of("distinct_1"),
        group: View::of(""),
        value: this.seen.len() as f64 / this.words as f64, // NaN without words
        ci_low: f64::NAN,
        ci_high: f64::NAN,
        rows_count: this.rows,
    };
    give(user, &row)
}

static TABLE: Table<Distinct> = Table {
    struct_size: std::mem::size_of::<Table<Distinct>>() as u32,
    flags: 0,
    create,
    destroy,
    describe,
    requires_schema,
    update,
    save,
    merge,
    finalize,
};

unsafe extern "C" fn get_interface(id: View) -> *const c_void {
    if id.bytes() == b"mortise.metric/1" {
        return &TABLE as *const Table<Distinct> as *const c_void;
    }
    std::ptr::null()
}

#[no_mangle]
pub unsafe extern "C" fn mortise_entry_1(hello: *const Hello, reply: *mut Reply) -> Status {
    if (*hello).generation != 1 {
        return FAILED_PRECONDITION;
    }
    (*reply).generation = 1;
    (*reply).plugin_id = View::of("com.example.distinct");
    (*reply).get_interface = get_interface;
    OK
}
