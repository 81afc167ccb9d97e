/* Every size and offset of layout_table.h, asserted at compile time in C.
 *
 * There is nothing to run: a layout that moved does not compile. layout.cpp says the same in C++.
 */
#include <stddef.h>

#include "all_headers.h"

#define SIZE(type, bytes) _Static_assert(sizeof(type) == bytes, #type " has another size");
#define OFFSET(type, member, bytes) \
  _Static_assert(offsetof(type, member) == bytes, #type "." #member " has moved");

#include "layout_table.h"
