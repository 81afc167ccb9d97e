// The guard's checks around one slot call, for wrap.h: handles, thread words, borrowed and returned
// Arrow structs, reserved bytes, the error object. Dev build and kit only; takes a lock a call.
#pragma once

#include <mortise/arrow.h>
#include <mortise/status.h>

#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "plugin/error_box.h"
#include "plugin/tables.h"
#include "plugin/tables_device.h"

namespace mortise::plugin {

// Opaque types whose pointers the guard follows from maker to ender.
template <class T>
constexpr bool is_handle =
    std::is_same_v<T, mortise_metric_instance> || std::is_same_v<T, mortise_tokenizer_instance> ||
    std::is_same_v<T, mortise_decoder> || std::is_same_v<T, mortise_format_instance> ||
    std::is_same_v<T, mortise_format_writer_instance> || std::is_same_v<T, mortise_loss_instance> ||
    std::is_same_v<T, mortise_preference_instance> || std::is_same_v<T, mortise_loss_plan> ||
    std::is_same_v<T, mortise_op> || std::is_same_v<T, mortise_event> ||
    std::is_same_v<T, mortise_lease> || std::is_same_v<T, mortise_communicator> ||
    std::is_same_v<T, mortise_tokenizer_trainer_instance>;

template <class T>
constexpr bool is_arrow = std::is_same_v<T, ArrowArray> || std::is_same_v<T, ArrowSchema> ||
                          std::is_same_v<T, ArrowArrayStream>;

class CallChecks {
 public:
  CallChecks(const std::string& label, std::string_view interface_id, const char* slot, Word word,
             Role role)
      : label_(label), slot_(std::string(interface_id) + " " + slot), word_(word), role_(role) {}
  ~CallChecks() { leave(); }

  // Once for each argument, before and after the call.
  template <class A>
  void before(A argument) {
    if constexpr (std::is_pointer_v<A>) {
      using T = std::remove_cv_t<std::remove_pointer_t<A>>;
      if constexpr (is_handle<T>) enter(argument);
      if constexpr (is_arrow<T> && std::is_const_v<std::remove_pointer_t<A>>) {
        borrowed_.emplace_back(argument, sizeof(T), argument);
      }
    }
  }
  template <class A>
  void after(A argument, mortise_status status) {
    if constexpr (std::is_pointer_v<A>) {
      using T = std::remove_pointer_t<A>;
      if constexpr (std::is_pointer_v<T>) {
        if constexpr (is_handle<std::remove_pointer_t<T>>) check_made(argument, status);
      } else if constexpr (is_arrow<T>) {
        if (status == MORTISE_STATUS_OK && role_ == Role::kMakes) check_given(argument);
      } else if constexpr (std::is_same_v<T, mortise_error>) {
        check_error(argument);
      } else if constexpr (!std::is_const_v<T> && requires { argument->reserved; }) {
        check_reserved(argument->reserved, sizeof argument->reserved);
      }
    }
  }
  void after_all(mortise_status status);

  bool is_broken() const { return is_broken_; }
  const std::string& text() const { return text_; }

 private:
  struct Borrowed {
    Borrowed(const void* place_in, size_t size, const void* bytes)
        : place(place_in), copy(static_cast<const char*>(bytes), bytes ? size : 0) {}
    const void* place;
    std::string copy;
  };

  void enter(const void* handle);
  void leave();
  template <class H>
  void check_made(H** out, mortise_status status) {
    if (role_ == Role::kMakes && status == MORTISE_STATUS_OK) made(out == nullptr ? nullptr : *out);
  }
  void made(const void* handle);
  void check_given(ArrowArray* array);
  void check_given(ArrowSchema* schema);
  void check_given(ArrowArrayStream* stream);
  void check_error(mortise_error* error);
  void check_reserved(const void* bytes, size_t size);
  void broke(const char* rule, std::string text);

  std::string label_, slot_;
  Word word_;
  Role role_;
  std::vector<const void*> entered_;
  std::vector<Borrowed> borrowed_;
  bool is_broken_ = false;
  std::string text_;
};

}  // namespace mortise::plugin
