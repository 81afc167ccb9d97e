// "multipleOf" in decimal digits. Why: in binary 0.3 / 0.1 is not whole and 1e9 + 0.5 nearly is, so
// both numbers are taken as digits x 10^exponent (the shortest that read back as the same double)
// and divided as integers.
#include <charconv>
#include <cmath>

#include "base/schema_state.h"

namespace mortise::base {
namespace {

struct Decimal {
  uint64_t digits = 0;  // the sign does not matter here
  int exponent = 0;
};

Decimal decimal_of(const Json& number) {
  if (number.kind() == Json::Kind::kUint) return {number.as_uint(), 0};
  if (number.kind() == Json::Kind::kInt) {
    const int64_t value = number.as_int();
    return {value < 0 ? ~static_cast<uint64_t>(value) + 1 : static_cast<uint64_t>(value), 0};
  }
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, std::fabs(number.as_double()),
                                 std::chars_format::scientific);
  Decimal out;
  bool is_fraction = false;
  const char* at = text;
  for (; at != end.ptr && *at != 'e'; ++at) {  // at most 17 digits
    if (*at == '.') {
      is_fraction = true;
      continue;
    }
    out.digits = out.digits * 10 + static_cast<uint64_t>(*at - '0');
    out.exponent -= is_fraction ? 1 : 0;
  }
  int power = 0;
  if (at != end.ptr) std::from_chars(at[1] == '+' ? at + 2 : at + 1, end.ptr, power);
  out.exponent += power;
  return out;
}

}  // namespace

bool is_multiple(const Json& value, const Json& step) {
  if (!std::isfinite(value.as_double()) || !std::isfinite(step.as_double())) return false;
  const Decimal a = decimal_of(value);
  const Decimal b = decimal_of(step);
  if (b.digits == 0) return false;
  // a.digits * 10^(a.exponent - b.exponent) must be a multiple of b.digits.
  unsigned __int128 rest = a.digits % b.digits;
  int power = a.exponent - b.exponent;
  for (; power > 0 && rest != 0; --power) rest = rest * 10 % b.digits;
  if (power >= 0) return rest == 0;
  unsigned __int128 divisor = b.digits;
  for (; power < 0; ++power) {
    if (divisor > a.digits) return a.digits == 0;
    divisor *= 10;
  }
  return a.digits % divisor == 0;
}

}  // namespace mortise::base
