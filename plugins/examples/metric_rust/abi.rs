// The C ABI as Rust types: what metric_rust.rs needs of entry.h, status.h, view.h, arrow.h and
// kind/metric.h, in the same order and widths. A layout test in Rust is not needed: the host checks
// struct_size, and the conformance kit the rest.
use std::ffi::c_void;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct View {
    pub data: *const u8,
    pub size_bytes: u64,
}

impl View {
    pub const fn of(text: &'static str) -> View {
        View { data: text.as_ptr(), size_bytes: text.len() as u64 }
    }
    // The bytes of a view that the host lends for this call.
    pub unsafe fn bytes<'a>(self) -> &'a [u8] {
        if self.size_bytes == 0 {
            return &[];
        }
        std::slice::from_raw_parts(self.data, self.size_bytes as usize)
    }
}

pub type Status = i32;
pub const OK: Status = 0;
pub const INVALID_ARGUMENT: Status = 3;
pub const FAILED_PRECONDITION: Status = 9;
pub const DATA_LOSS: Status = 15;

#[repr(C)]
pub struct Error {
    struct_size: u32,
    flags: u32,
    host: *mut c_void,
    set: Option<unsafe extern "C" fn(*mut Error, Status, View)>,
    locate: *const c_void,
    detail: *const c_void,
}

// Says why in the host's object and returns the code.
pub unsafe fn fail(error: *mut Error, code: Status, words: &'static str) -> Status {
    if let Some(set) = (*error).set {
        set(error, code, View::of(words));
    }
    code
}

#[repr(C)]
pub struct Sink {
    struct_size: u32,
    flags: u32,
    user: *mut c_void,
    pub write: unsafe extern "C" fn(*mut Sink, *const u8, u64) -> Status,
}

#[repr(C)]
pub struct ArrowSchema {
    pub format: *const u8,
    pub name: *const u8,
    pub metadata: *const u8,
    pub flags: i64,
    pub n_children: i64,
    pub children: *mut *mut ArrowSchema,
    pub dictionary: *mut ArrowSchema,
    pub release: Option<unsafe extern "C" fn(*mut ArrowSchema)>,
    pub private_data: *mut c_void,
}

#[repr(C)]
pub struct ArrowArray {
    pub length: i64,
    pub null_count: i64,
    pub offset: i64,
    pub n_buffers: i64,
    pub n_children: i64,
    pub buffers: *const *const c_void,
    pub children: *const *const ArrowArray,
    pub dictionary: *const ArrowArray,
    pub release: *const c_void,
    pub private_data: *mut c_void,
}

#[repr(C)]
pub struct Hello {
    pub magic: u64,
    pub struct_size: u32,
    pub generation: u32,
}

#[repr(C)]
pub struct Reply {
    pub magic: u64,
    pub struct_size: u32,
    pub generation: u32,
    pub built_minor: u32,
    pub needs_minor: u32,
    pub plugin_id: View,
    pub abi_extra: View,
    pub get_interface: unsafe extern "C" fn(View) -> *const c_void,
}

#[repr(C)]
pub struct Facts {
    pub struct_size: u32,
    pub flags: u32,
    pub value_min: f64,
    pub value_max: f64,
    pub reserved: [u32; 4],
}

#[repr(C)]
pub struct Row {
    pub struct_size: u32,
    pub flags: u32,
    pub name: View,
    pub group: View,
    pub value: f64,
    pub ci_low: f64,
    pub ci_high: f64,
    pub rows_count: u64,
}

pub type GiveRow = unsafe extern "C" fn(*mut c_void, *const Row) -> Status;

// The table of mortise.metric/1 over an instance type.
#[repr(C)]
pub struct Table<Instance> {
    pub struct_size: u32,
    pub flags: u32,
    pub create: unsafe extern "C" fn(View, *mut *mut Instance, *mut Error) -> Status,
    pub destroy: unsafe extern "C" fn(*mut Instance),
    pub describe: unsafe extern "C" fn(*const Instance, *mut Facts, *mut Error) -> Status,
    pub requires_schema:
        unsafe extern "C" fn(*const Instance, *mut ArrowSchema, *mut Error) -> Status,
    pub update:
        unsafe extern "C" fn(*mut Instance, *const ArrowArray, *mut Sink, *mut Error) -> Status,
    pub save: unsafe extern "C" fn(*const Instance, *mut Sink, *mut Error) -> Status,
    pub merge: unsafe extern "C" fn(*mut Instance, View, *mut Error) -> Status,
    pub finalize:
        unsafe extern "C" fn(*const Instance, GiveRow, *mut c_void, *mut Error) -> Status,
}
