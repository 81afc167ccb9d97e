// Spelling of codes and the one-line form of an error. See result.h.
#include "base/result.h"

namespace mortise::base {

const char* code_name(Code code) {
  static constexpr const char* kNames[] = {"OK",
                                           "CANCELLED",
                                           "UNKNOWN",
                                           "INVALID_ARGUMENT",
                                           "DEADLINE_EXCEEDED",
                                           "NOT_FOUND",
                                           "ALREADY_EXISTS",
                                           "PERMISSION_DENIED",
                                           "RESOURCE_EXHAUSTED",
                                           "FAILED_PRECONDITION",
                                           "ABORTED",
                                           "OUT_OF_RANGE",
                                           "UNIMPLEMENTED",
                                           "INTERNAL",
                                           "UNAVAILABLE",
                                           "DATA_LOSS",
                                           "UNAUTHENTICATED"};
  const auto index = static_cast<uint32_t>(code);
  return index < std::size(kNames) ? kNames[index] : "UNKNOWN";
}

std::string Error::text() const {
  std::string place = file;
  if (row >= 0) place += (place.empty() ? "row " : " row ") + std::to_string(row);
  if (byte_offset >= 0) {
    const std::string byte = "byte " + std::to_string(byte_offset);
    place += place.empty() ? byte : " (" + byte + ")";
  }
  if (!field.empty()) place += (place.empty() ? "field " : ", field ") + field;
  std::string out = place.empty() ? message : place + ": " + message;
  if (!hint.empty()) out += " " + hint;
  return out;
}

}  // namespace mortise::base
