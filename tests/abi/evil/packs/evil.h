// What every evil pack shares: an example pack is compiled in under the name healthy_entry, and one
// fault is laid over its tables. Which fault stands in the file "fault" of the pack's folder, so
// one library serves every fault of its kind and a pack differs from a healthy one in that word.
#pragma once

#include <mortise/entry.h>
#include <mortise/status.h>

#include <string>
#include <string_view>

extern "C" mortise_status healthy_entry(const mortise_hello* hello, mortise_hello_reply* reply);

namespace evil {

extern const mortise_hello* hello;
extern const void* (*healthy_interface)(mortise_text id);

bool is(std::string_view fault);  // whether this pack has that fault

template <class Table>
const Table* healthy(std::string_view id) {
  return static_cast<const Table*>(healthy_interface({id.data(), id.size()}));
}
template <class Table>
const Table* service(std::string_view id) {
  return static_cast<const Table*>(hello->get_service(hello->host, {id.data(), id.size()}));
}

// By kind: the table for an id with the fault laid over it, or nullptr.
const void* find_interface(std::string_view id);

mortise_status refuse(mortise_error* error, mortise_status code, std::string_view words);

// Whether two threads are in here at once; stays a while.
bool is_crowded();

}  // namespace evil
