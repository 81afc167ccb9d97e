// Every size and offset of layout_table.h, asserted at compile time in C++.
//
// There is nothing to run: a layout that moved does not compile. layout.c says the same in C.
#include <cstddef>

#include "all_headers.h"

#define SIZE(type, bytes) static_assert(sizeof(type) == bytes, #type " has another size");
#define OFFSET(type, member, bytes) \
  static_assert(offsetof(type, member) == bytes, #type "." #member " has moved");

#include "layout_table.h"
