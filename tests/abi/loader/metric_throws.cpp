// A metric without a barrier: create lets a C++ exception out.
#include <mortise/entry.h>
#include <mortise/kind/metric.h>

#include <cstring>
#include <stdexcept>

namespace {

mortise_status create(mortise_text, mortise_metric_instance**, mortise_error*) {
  throw std::runtime_error("no such vocabulary");
}
void destroy(mortise_metric_instance*) {}
mortise_status requires_schema(const mortise_metric_instance*, ArrowSchema*, mortise_error*) {
  return MORTISE_STATUS_UNIMPLEMENTED;
}
mortise_status update(mortise_metric_instance*, const ArrowArray*, mortise_sink*, mortise_error*) {
  return MORTISE_STATUS_UNIMPLEMENTED;
}
mortise_status finalize(const mortise_metric_instance*,
                        mortise_status (*)(void*, const mortise_metric_row*), void*,
                        mortise_error*) {
  return MORTISE_STATUS_UNIMPLEMENTED;
}

const void* get_interface(mortise_text) {
  static mortise_metric table{};
  table.struct_size = sizeof table;
  table.create = &create;
  table.destroy = &destroy;
  table.requires_schema = &requires_schema;
  table.update = &update;
  table.finalize = &finalize;
  return &table;
}

}  // namespace

mortise_status mortise_entry_1(const mortise_hello*, mortise_hello_reply* reply) {
  reply->generation = 1;
  reply->plugin_id = {"com.example.count", std::strlen("com.example.count")};
  reply->get_interface = &get_interface;
  return MORTISE_STATUS_OK;
}
