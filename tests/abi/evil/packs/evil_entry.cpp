// The entry of every evil pack, with the faults of the entry itself. See evil.h.
#include "evil.h"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <fstream>
#include <thread>

namespace evil {

const mortise_hello* hello = nullptr;
const void* (*healthy_interface)(mortise_text id) = nullptr;

namespace {

std::string fault_name;

void read_fault(const mortise_hello& told) {
  std::ifstream file(std::string(told.pack_root.data, told.pack_root.size_bytes) + "/fault");
  std::getline(file, fault_name);
}

void sleep_ms(int duration_ms) {
  std::this_thread::sleep_for(std::chrono::milliseconds(duration_ms));
}

const void* get_interface(mortise_text id) {
  std::string_view name(id.data, id.size_bytes);
  if (is("null_table")) return nullptr;
  if (is("reads_ids_up_to_zero")) name = std::string_view(id.data, std::strlen(id.data));
  if (is("knows_every_id")) name = "mortise.metric/1";
  const void* table = find_interface(name);
  if (table == nullptr || !(is("fresh_tables") || is("table_flags") || is("short_table"))) {
    return table;
  }
  static uint32_t copies[8][64];
  static int count = 0;
  uint32_t* copy = copies[is("fresh_tables") ? count++ % 8 : 0];
  uint32_t size = 0;
  std::memcpy(&size, table, sizeof size);
  std::memcpy(copy, table, size < sizeof copies[0] ? size : sizeof copies[0]);
  if (is("table_flags")) copy[1] = 1;
  if (is("short_table")) copy[0] = 40;
  return copy;
}

}  // namespace

bool is(std::string_view fault) {
  return fault_name == fault;
}

mortise_status refuse(mortise_error* error, mortise_status code, std::string_view words) {
  if (error != nullptr) error->set(error, code, {words.data(), words.size()});
  return code;
}

bool is_crowded() {
  static std::atomic<int> inside{0};
  const bool is_second = inside.fetch_add(1) > 0;
  sleep_ms(5);
  inside.fetch_sub(1);
  return is_second;
}

}  // namespace evil

extern "C" MORTISE_EXPORT mortise_status mortise_entry_1(const mortise_hello* told,
                                                         mortise_hello_reply* reply) {
  using evil::is;
  evil::read_fault(*told);
  evil::hello = told;
  if (is("wants_exact_sizes") && told->struct_size != sizeof *told) {
    return MORTISE_STATUS_FAILED_PRECONDITION;
  }
  if (is("refuses_newer_hosts") && told->host_minor > 0) return MORTISE_STATUS_FAILED_PRECONDITION;
  if (is("slow_entry")) evil::sleep_ms(150);
  if (is("thread_at_entry")) std::thread([] { evil::sleep_ms(2000); }).detach();
  if (is("throws_at_entry")) throw 7;
  mortise_hello as_expected = *told;
  if (is("any_generation")) as_expected.generation = 1;
  const mortise_status status = healthy_entry(is("any_generation") ? &as_expected : told, reply);
  if (status != MORTISE_STATUS_OK) return status;
  evil::healthy_interface = reply->get_interface;
  reply->get_interface = &evil::get_interface;
  if (is("any_generation")) reply->generation = told->generation;
  if (is("dirty_reserved")) reply->reserved[63] = 1;
  if (is("needs_newer_minor")) reply->needs_minor = 1;
  return status;
}
