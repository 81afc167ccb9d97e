// A sample ends where another key begins, so the reader is always one member ahead; the cursor is
// the header of this member.
#include "sample_reader.h"

#include <mortise/cpp/json_parse.hpp>
#include <mortise/cpp/json_write.hpp>
#include <mortise/cpp/utf8.hpp>

namespace mortise::format_webdataset {
namespace {

constexpr size_t kMembersMax = 1000;
constexpr std::string_view kBlanks = " \t\r\n";

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

bool is_integer(std::string_view text) {
  int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, value);
  return !text.empty() && read.ec == std::errc() && read.ptr == end &&
         std::to_string(value) == text;
}

}  // namespace

SampleName split_name(std::string_view name) {
  const size_t slash = name.rfind('/');
  const size_t base = slash == name.npos ? 0 : slash + 1;
  const size_t dot = name.find('.', base);
  if (dot == name.npos || dot == base) return {name, {}};
  return {name.substr(0, dot), name.substr(dot + 1)};
}

// What the members of one sample say.
struct SampleReader::Parts {
  std::vector<std::pair<std::string, std::string>> fields;  // name, JSON
  std::string inner;                                   // of the .json member, without its braces
  sdk::CommonMedia media;
  std::set<std::string, std::less<>> extensions;
};

SampleReader::SampleReader(const std::string& name, const SampleOptions& options,
                           const sdk::RowPosition* from)
    : scan_(name, from == nullptr ? 0 : from->at),
      options_(options),
      row_(from == nullptr ? 1 : from->row) {
  advance();
}

// The next member that belongs to a sample, into pending_.
void SampleReader::advance() {
  TarMember member;
  for (;;) {
    if (!scan_.next(&member)) {
      pending_.reset();
      end_at_ = scan_.offset();
      return;
    }
    if (!split_name(member.name).extension.empty()) break;
    sdk::log(MORTISE_LOG_WARNING, "\"" + member.name + "\" in " + scan_.file().name() +
                                      " has no extension and belongs to no sample.");
  }
  pending_ = std::move(member);
}

sdk::Failure SampleReader::at(const sdk::Failure& failure, uint64_t byte) const {
  sdk::Failure located = failure;
  located.file = scan_.file().name();
  located.row = static_cast<int64_t>(row_);
  located.byte = static_cast<int64_t>(byte) + std::max<int64_t>(failure.byte, 0);
  return located;
}

std::string SampleReader::read_text(const TarMember& member) const {
  if (member.size_bytes > options_.row_bytes_max) {
    throw sdk::resource_exhausted("\"" + member.name + "\" has " +
                                  std::to_string(member.size_bytes) + " bytes; at most " +
                                  std::to_string(options_.row_bytes_max) + " of text are read.")
        .with_hint("Raise row_bytes_max.");
  }
  std::string text(member.size_bytes, '\0');
  text.resize(scan_.file().read_at(member.data, text.data(), text.size()));
  if (const int64_t bad = sdk::find_invalid_utf8(text); bad >= 0) {
    throw sdk::invalid_argument("\"" + member.name + "\" is not UTF-8.").at("", -1, bad);
  }
  return text;
}

// The members of the object as they stand: numbers keep their spelling.
void SampleReader::add_fields(const TarMember& member, Parts* parts) const {
  const std::string text = read_text(member);
  const sdk::JsonDocument document = sdk::JsonDocument::parse(text);
  const std::string_view whole = trimmed(text);
  if (!document.root().is_object()) {
    parts->fields.emplace_back("json", std::string(whole));
    return;
  }
  for (const auto& [name, value] : parts->fields) {
    if (!document.root()[name].exists()) continue;
    throw sdk::invalid_argument("\"" + member.name + "\" has the field \"" + name +
                                "\", which another member of the sample gives too.")
        .with_hint("List one of the two extensions under \"ignore\".");
  }
  parts->inner = trimmed(whole.substr(1, whole.size() - 2));
}

void SampleReader::add(const TarMember& member, std::string_view extension, Parts* parts) {
  if (options_.ignore.contains(extension)) return;
  if (!parts->extensions.emplace(extension).second) {
    throw sdk::invalid_argument("The sample has two members \"." + std::string(extension) + "\".");
  }
  const auto field = [&](std::string name, const std::string& text) {
    std::string json;
    sdk::append_json_text(&json, text);
    parts->fields.emplace_back(std::move(name), std::move(json));
  };
  const std::string_view kind = sdk::media_kind(sdk::ending_of("." + std::string(extension)));
  if (extension == "txt") return field("text", read_text(member));
  if (options_.text.contains(extension)) return field(std::string(extension), read_text(member));
  if (extension == "cls") {
    const std::string text = read_text(member);
    const std::string label(trimmed(text));
    if (!is_integer(label)) return field("label", label);
    parts->fields.emplace_back("label", label);
    return;
  }
  if (kind.empty()) {
    throw sdk::unimplemented("The extension of \"" + member.name + "\" is not known.")
        .with_hint("List \"" + std::string(extension) +
                   "\" in the format's configuration under \"ignore\", or under \"text\" when it "
                   "is text.");
  }
  sdk::OwnedMedium medium;
  medium.name = member.name;
  medium.member = scan_.file().name();
  medium.offset = static_cast<int64_t>(member.data);
  medium.length = static_cast<int64_t>(member.size_bytes);
  parts->media.add(kind, std::move(medium));
}

bool SampleReader::next(sdk::MediaRow* out) {
  if (!pending_) return false;
  const std::string key(split_name(pending_->name).key);
  out->byte_offset = pending_->begin;
  Parts parts;
  std::string quoted;
  sdk::append_json_text(&quoted, key);
  parts.fields.emplace_back("__key__", quoted);
  std::optional<TarMember> fields;  // last: only then the other fields are known
  while (pending_ && split_name(pending_->name).key == key) {
    const TarMember member = *pending_;
    const std::string_view extension = split_name(member.name).extension;
    try {
      if (parts.extensions.size() >= kMembersMax) {
        throw sdk::resource_exhausted("A sample has more than 1000 members.");
      }
      if (extension == "json" && !options_.ignore.contains("json") && !fields) {
        fields = member;
      } else {
        add(member, extension, &parts);
      }
    } catch (const sdk::Failure& failure) {
      throw at(failure, member.data);
    }
    advance();
  }
  try {
    if (fields) add_fields(*fields, &parts);
  } catch (const sdk::Failure& failure) {
    throw at(failure, fields->data);
  }
  sdk::JsonObject row;
  for (const auto& [name, json] : parts.fields) row.raw(name, json);
  out->json = row.finish();
  if (!parts.inner.empty()) out->json.insert(out->json.size() - 1, "," + parts.inner);
  parts.media.move_to(out);
  ++row_;
  return true;
}

}  // namespace mortise::format_webdataset
