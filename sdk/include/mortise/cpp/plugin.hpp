// mortise/cpp/plugin.hpp: MORTISE_PLUGIN defines the one exported function of a pack.
//
// Used once in a pack:
//   MORTISE_PLUGIN("com.example.f1", {MORTISE_KIND_METRIC, mortise::sdk::metric_table<F1>()})
// It refuses, with a code, a hello that is not of generation 1, and stores the host for
// services.hpp.
#ifndef MORTISE_CPP_PLUGIN_HPP
#define MORTISE_CPP_PLUGIN_HPP

#include <mortise/cpp/services.hpp>

#include <vector>

namespace mortise::sdk {

// One interface that a pack gives, or its quiesce function.
struct Interface {
  Interface(const char* id_in, const void* table_in) : id(id_in), table(table_in) {}
  // Called once before the worker ends; stops threads. May throw.
  explicit Interface(void (*quiesce_in)()) : quiesce(quiesce_in) {}

  std::string_view id;
  const void* table = nullptr;
  void (*quiesce)() = nullptr;
};

namespace detail {

// Fills the reply. Returns FAILED_PRECONDITION for another magic, generation or a cut struct; the
// reply is then untouched.
inline mortise_status enter(const mortise_hello* hello, mortise_hello_reply* reply,
                            std::string_view plugin_id, uint32_t needs_minor) {
  const bool is_understood =
      hello != nullptr && reply != nullptr && hello->magic == MORTISE_MAGIC &&
      reply->magic == MORTISE_MAGIC && hello->generation == MORTISE_ABI_GENERATION &&
      hello->struct_size >= sizeof(mortise_hello) && reply->struct_size >= sizeof(*reply);
  if (!is_understood) return MORTISE_STATUS_FAILED_PRECONDITION;
  set_host(*hello);
  reply->generation = MORTISE_ABI_GENERATION;
  reply->built_minor = MORTISE_ABI_MINOR;
  reply->needs_minor = needs_minor;
  reply->plugin_id = text(plugin_id);
  return MORTISE_STATUS_OK;
}

}  // namespace detail
}  // namespace mortise::sdk

// The smallest host minor this pack works with; define it before including this header when the
// pack cannot do without a slot that came later.
#ifndef MORTISE_PLUGIN_NEEDS_MINOR
#define MORTISE_PLUGIN_NEEDS_MINOR 0
#endif

// plugin_id: as in pack.json. Then one or more {id, table} or Interface(quiesce function).
#define MORTISE_PLUGIN(plugin_id, ...)                                                            \
  namespace {                                                                                     \
  const std::vector<mortise::sdk::Interface>& mortise_plugin_interfaces() {                       \
    static const std::vector<mortise::sdk::Interface> list = {__VA_ARGS__};                       \
    return list;                                                                                  \
  }                                                                                               \
  const void* mortise_plugin_get_interface(mortise_text id) {                                     \
    for (const auto& one : mortise_plugin_interfaces()) {                                         \
      if (!one.id.empty() && one.id == mortise::sdk::view(id)) return one.table;                  \
    }                                                                                             \
    return nullptr;                                                                               \
  }                                                                                               \
  mortise_status mortise_plugin_quiesce(mortise_error* error) {                                   \
    return mortise::sdk::guarded(error, [] {                                                      \
      for (const auto& one : mortise_plugin_interfaces()) {                                       \
        if (one.quiesce != nullptr) one.quiesce();                                                \
      }                                                                                           \
    });                                                                                           \
  }                                                                                               \
  }                                                                                               \
  extern "C" MORTISE_EXPORT mortise_status mortise_entry_1(const mortise_hello* hello,            \
                                                           mortise_hello_reply* reply) {          \
    mortise_status entered = MORTISE_STATUS_INTERNAL;                                             \
    const mortise_status status = mortise::sdk::guarded(nullptr, [&] {                            \
      mortise_plugin_interfaces();                                                                \
      entered = mortise::sdk::detail::enter(hello, reply, plugin_id, MORTISE_PLUGIN_NEEDS_MINOR); \
      if (entered == MORTISE_STATUS_OK) {                                                         \
        reply->get_interface = mortise_plugin_get_interface;                                      \
        reply->quiesce = mortise_plugin_quiesce;                                                  \
      }                                                                                           \
    });                                                                                           \
    return status != MORTISE_STATUS_OK ? status : entered;                                        \
  }                                                                                               \
  static_assert(true, "ask for a semicolon")

#endif
