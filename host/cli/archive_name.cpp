// The names in archives. See archive.h.
#include <algorithm>
#include <cctype>

#include "base/file_ops.h"
#include "base/json.h"
#include "base/utf8.h"
#include "cli/archive.h"

namespace mortise::cli {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

namespace {

// What some program somewhere reads as one of the three.
constexpr std::pair<std::string_view, char> kLookAlikes[] = {
    {"\xEF\xBC\x8E", '.'},   // U+FF0E fullwidth full stop
    {"\xE2\x80\xA4", '.'},   // U+2024 one dot leader
    {"\xEF\xB9\x92", '.'},   // U+FE52 small full stop
    {"\xEF\xBC\x8F", '/'},   // U+FF0F fullwidth solidus
    {"\xE2\x88\x95", '/'},   // U+2215 division slash
    {"\xE2\x81\x84", '/'},   // U+2044 fraction slash
    {"\xEF\xBC\xBC", '\\'},  // U+FF3C fullwidth reverse solidus
    {"\xE2\x88\x96", '\\'},  // U+2216 set minus
    {"\xEF\xB9\xA8", '\\'},  // U+FE68 small reverse solidus
};
constexpr std::string_view kTwoDots = "\xE2\x80\xA5";  // U+2025 two dot leader

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// Once: "%2e" and look-alikes become what they stand for.
std::string folded(std::string_view name) {
  std::string out;
  for (size_t at = 0; at < name.size();) {
    const std::string_view rest = name.substr(at);
    if (rest.size() >= 3 && rest[0] == '%' && hex_digit(rest[1]) >= 0 && hex_digit(rest[2]) >= 0) {
      const int byte = hex_digit(rest[1]) * 16 + hex_digit(rest[2]);
      out += static_cast<char>(byte);
      at += 3;
      continue;
    }
    if (rest.starts_with(kTwoDots)) {
      out += "..";
      at += kTwoDots.size();
      continue;
    }
    const auto alike = std::find_if(std::begin(kLookAlikes), std::end(kLookAlikes),
                                    [&](const auto& pair) { return rest.starts_with(pair.first); });
    if (alike != std::end(kLookAlikes)) {
      out += alike->second;
      at += alike->first.size();
    } else {
      out += rest[0];
      ++at;
    }
  }
  return out;
}

Error refused(std::string_view name, const std::string& why) {
  return Error(Code::kInvalidArgument,
               "The name " + base::json_quote(std::string(name.substr(0, 256))) + " " + why + ".",
               "Use relative paths such as images/0001.png.");
}

// A part such as "..", "...", ". ." or ".. ": systems differ in what they take it for.
bool has_part_of_dots(std::string_view name) {
  for (size_t begin = 0; begin <= name.size();) {
    const size_t end = std::min(name.find('/', begin), name.size());
    const std::string_view part = name.substr(begin, end - begin);
    if (part.find_first_not_of(". ") == std::string_view::npos) return true;
    begin = end + 1;
  }
  return false;
}

// In a form that a system may take the name for.
Status check_form(std::string_view name, std::string_view form) {
  if (!base::check_relative_path(form).ok() || has_part_of_dots(form)) {
    return refused(name, "may leave the folder");
  }
  if (form.size() >= 2 && form[1] == ':' && std::isalpha(static_cast<unsigned char>(form[0]))) {
    return refused(name, "begins with the letter of a drive");
  }
  return {};
}

}  // namespace

Result<std::string> checked_entry_name(std::string_view name) {
  if (base::utf8_error_offset(name) != SIZE_MAX) {
    return Error(Code::kInvalidArgument, "A name is not UTF-8.", "Make the archive again.");
  }
  for (const char c : name) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      return refused(name, "holds a control character");
    }
  }
  std::string plain(name);
  while (plain.starts_with("./")) plain.erase(0, 2);
  MORTISE_TRY(check_form(name, plain));
  // Each fold makes it shorter, so this ends.
  for (std::string form = plain;;) {
    std::string next = folded(form);
    if (next == form) return plain;
    form = std::move(next);
    std::replace(form.begin(), form.end(), '\\', '/');
    MORTISE_TRY(check_form(name, form));
  }
}

}  // namespace mortise::cli
