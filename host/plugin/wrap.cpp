// The answers that the host gives in a plugin's place. See wrap.h.
#include "plugin/wrap.h"

#include <exception>

namespace mortise::plugin {
namespace {

mortise_status answer(mortise_error* error, mortise_status code, const std::string& message) {
  if (error != nullptr) error->set(error, code, text_of(message));
  return code;
}

}  // namespace

mortise_status answer_absent(const SeatHead& seat, const char* slot, mortise_error* error) {
  return answer(error, MORTISE_STATUS_UNIMPLEMENTED,
                "The plugin " + seat.label + " does not provide " + slot + " of " +
                    seat.interface_id + ". Install a version that does.");
}

mortise_status answer_thrown(const SeatHead& seat, const char* slot, mortise_error* error) {
  std::string what = "an object that is no std::exception";
  try {
    throw;
  } catch (const std::exception& thrown) {
    what = std::string("\"") + thrown.what() + "\"";
  } catch (...) {
  }
  const std::string place = seat.interface_id + " " + slot;
  const std::string text = "The plugin " + seat.label + " let an exception out of " + place + ": " +
                           what + ". Report this to its vendor.";
  report_violation({seat.label, place, "exception", text});
  return answer(error, MORTISE_STATUS_INTERNAL, text);
}

mortise_status answer_broken(const SeatHead& seat, const char* slot, const std::string& rule,
                             mortise_error* error) {
  return answer(error, MORTISE_STATUS_INTERNAL,
                "The plugin " + seat.label + " or its caller broke a rule in " + seat.interface_id +
                    " " + slot + ": " + rule);
}

}  // namespace mortise::plugin
