// Formats of draft 2020-12 as their RFCs write them. Pure functions, called by schema_check.cpp.
#include <algorithm>
#include <charconv>

#include "base/pattern.h"
#include "base/schema_state.h"

namespace mortise::base {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// `size` digits at the front of `text` as a number, and cuts them off; -1 when they are not there.
int take_number(std::string_view& text, size_t size) {
  if (text.size() < size || !std::all_of(text.begin(), text.begin() + size, is_digit)) return -1;
  int number = 0;
  std::from_chars(text.data(), text.data() + size, number);
  text.remove_prefix(size);
  return number;
}

bool take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

// RFC 3339 full-date; cuts it off.
bool take_date(std::string_view& text) {
  static constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const int year = take_number(text, 4);
  if (year < 0 || !take(text, '-')) return false;
  const int month = take_number(text, 2);
  if (month < 1 || month > 12 || !take(text, '-')) return false;
  const int day = take_number(text, 2);
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return day >= 1 && day <= kDays[month - 1] + (month == 2 && leap ? 1 : 0);
}

// RFC 3339 full-time. A leap second stands only at 23:59:60 UTC.
bool take_time(std::string_view& text) {
  const int hour = take_number(text, 2);
  if (hour < 0 || hour > 23 || !take(text, ':')) return false;
  const int minute = take_number(text, 2);
  if (minute < 0 || minute > 59 || !take(text, ':')) return false;
  const int second = take_number(text, 2);
  if (second < 0 || second > 60) return false;
  if (take(text, '.')) {
    const auto end = std::find_if_not(text.begin(), text.end(), is_digit);
    if (end == text.begin()) return false;
    text.remove_prefix(static_cast<size_t>(end - text.begin()));
  }
  int offset_minutes = 0;
  if (!take(text, 'Z') && !take(text, 'z')) {
    const int sign = text.starts_with('-') ? -1 : 1;
    if (!take(text, '+') && !take(text, '-')) return false;
    const int hours = take_number(text, 2);
    if (hours < 0 || hours > 23 || !take(text, ':')) return false;
    const int minutes = take_number(text, 2);
    if (minutes < 0 || minutes > 59) return false;
    offset_minutes = sign * (hours * 60 + minutes);
  }
  constexpr int kDay = 24 * 60;
  return second < 60 || (hour * 60 + minute - offset_minutes + 2 * kDay) % kDay == kDay - 1;
}

bool is_date(std::string_view text) {
  return take_date(text) && text.empty();
}
bool is_time(std::string_view text) {
  return take_time(text) && text.empty();
}
bool is_date_time(std::string_view text) {
  return take_date(text) && (take(text, 'T') || take(text, 't')) && take_time(text) && text.empty();
}

bool is_ipv4(std::string_view text) {
  for (int part = 0; part < 4; ++part) {
    if (part > 0 && !take(text, '.')) return false;
    const auto end = std::find_if_not(text.begin(), text.end(), is_digit);
    const auto size = static_cast<size_t>(end - text.begin());
    if (size == 0 || size > 3 || (size > 1 && text[0] == '0')) return false;
    if (take_number(text, size) > 255) return false;
  }
  return text.empty();
}

// RFC 4291, section 2.2: eight groups; "::" once for at least one; the last two may be an IPv4.
bool is_ipv6(std::string_view text) {
  int groups = 0;
  bool is_shortened = false;
  if (text.starts_with("::")) {
    is_shortened = true;
    text.remove_prefix(2);
  }
  while (!text.empty()) {
    const auto end = std::find_if_not(text.begin(), text.end(), is_hex);
    const auto size = static_cast<size_t>(end - text.begin());
    if (size < text.size() && text[size] == '.') {
      groups += 2;
      return is_ipv4(text) && (is_shortened ? groups < 8 : groups == 8);
    }
    if (size == 0 || size > 4) return false;
    ++groups;
    text.remove_prefix(size);
    if (text.empty()) break;
    if (!take(text, ':') || text.empty()) return false;
    if (take(text, ':')) {
      if (is_shortened) return false;
      is_shortened = true;
    }
  }
  return is_shortened ? groups < 8 : groups == 8;
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (is_dash ? text[i] != '-' : !is_hex(text[i])) return false;
  }
  return true;
}

// RFC 3986 with a scheme: the characters that may stand, "%" with two digits, one fragment, a host
// in brackets that is an IPv6 address, a port of digits.
bool is_uri(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0 || !is_letter(text[0])) return false;
  for (const char c : text.substr(0, colon)) {
    if (!is_letter(c) && !is_digit(c) && c != '+' && c != '-' && c != '.') return false;
  }
  std::string_view rest = text.substr(colon + 1);
  if (rest.starts_with("//")) {
    std::string_view host = rest.substr(2, rest.find_first_of("/?#", 2) - 2);
    rest.remove_prefix(2 + host.size());
    const size_t at = host.rfind('@');
    if (host.substr(0, at == std::string_view::npos ? 0 : at).find_first_of("[]") !=
        std::string_view::npos) {
      return false;
    }
    if (at != std::string_view::npos) host.remove_prefix(at + 1);
    if (host.starts_with('[')) {
      const size_t close = host.find(']');
      if (close == std::string_view::npos || !is_ipv6(host.substr(1, close - 1))) return false;
      host.remove_prefix(close + 1);
      if (!host.empty() && host[0] != ':') return false;
    }
    const size_t port = host.find(':');
    if (port != std::string_view::npos &&
        !std::all_of(host.begin() + static_cast<ptrdiff_t>(port) + 1, host.end(), is_digit)) {
      return false;
    }
    if (host.find_first_of("[]") != std::string_view::npos) return false;
  }
  if (rest.find_first_of("[]") != std::string_view::npos) return false;
  if (std::count(text.begin(), text.end(), '#') > 1) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '%' && (i + 2 >= text.size() || !is_hex(text[i + 1]) || !is_hex(text[i + 2]))) {
      return false;
    }
    if (!is_letter(c) && !is_digit(c) &&
        std::string_view("-._~:/?#[]@!$&'()*+,;=%").find(c) == std::string_view::npos) {
      return false;
    }
  }
  return true;
}

// A dot-atom or quoted local part, "@", and a domain of labels or an address in brackets.
bool is_email(std::string_view text) {
  const size_t at = text.rfind('@');
  if (at == std::string_view::npos || at == 0 || at > 64) return false;
  const std::string_view local = text.substr(0, at);
  std::string_view domain = text.substr(at + 1);
  const auto is_dotted = [](std::string_view name, auto may_stand) {
    if (name.empty() || name.front() == '.' || name.back() == '.') return false;
    if (name.find("..") != std::string_view::npos) return false;
    return std::all_of(name.begin(), name.end(), [&](char c) { return c == '.' || may_stand(c); });
  };
  const bool is_quoted = local.size() > 2 && local.front() == '"' && local.back() == '"' &&
                         local.substr(1, local.size() - 2).find('"') == std::string_view::npos;
  if (!is_quoted && !is_dotted(local, [](char c) {
        return is_letter(c) || is_digit(c) ||
               std::string_view("!#$%&'*+-/=?^_`{|}~").find(c) != std::string_view::npos;
      })) {
    return false;
  }
  if (domain.starts_with('[') && domain.ends_with(']')) {
    domain = domain.substr(1, domain.size() - 2);
    return domain.starts_with("IPv6:") ? is_ipv6(domain.substr(5)) : is_ipv4(domain);
  }
  const bool has_dash_at_edge = domain.starts_with('-') || domain.ends_with('-') ||
                                domain.find(".-") != std::string_view::npos ||
                                domain.find("-.") != std::string_view::npos;
  return !has_dash_at_edge && domain.size() <= 255 &&
         is_dotted(domain, [](char c) { return is_letter(c) || is_digit(c) || c == '-'; });
}

bool is_json_pointer(std::string_view text) {
  if (!text.empty() && text[0] != '/') return false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '~' && (i + 1 == text.size() || (text[i + 1] != '0' && text[i + 1] != '1'))) {
      return false;
    }
  }
  return true;
}

bool is_regex(std::string_view text) {
  return Pattern::compile(text).ok();
}

struct Format {
  std::string_view name;
  bool (*fits)(std::string_view text);  // null: an annotation
};

constexpr Format kFormats[] = {
    {"date-time", is_date_time},
    {"date", is_date},
    {"time", is_time},
    {"uri", is_uri},
    {"uuid", is_uuid},
    {"email", is_email},
    {"ipv4", is_ipv4},
    {"ipv6", is_ipv6},
    {"regex", is_regex},
    {"json-pointer", is_json_pointer},
    {"duration", nullptr},
    {"hostname", nullptr},
    {"idn-hostname", nullptr},
    {"idn-email", nullptr},
    {"uri-reference", nullptr},
    {"iri", nullptr},
    {"iri-reference", nullptr},
    {"uri-template", nullptr},
    {"relative-json-pointer", nullptr},
};

const Format* find_format(std::string_view name) {
  const auto found = std::find_if(std::begin(kFormats), std::end(kFormats),
                                  [&](const Format& format) { return format.name == name; });
  return found == std::end(kFormats) ? nullptr : found;
}

}  // namespace

FormatKind format_kind(std::string_view name) {
  const Format* format = find_format(name);
  if (format == nullptr) return FormatKind::kUnknown;
  return format->fits == nullptr ? FormatKind::kAnnotation : FormatKind::kChecked;
}

bool has_format(std::string_view name, std::string_view text) {
  const Format* format = find_format(name);
  return format == nullptr || format->fits == nullptr || format->fits(text);
}

}  // namespace mortise::base
