// Names of schemas: how "$ref" is resolved against "$id", and what it then points at. Nothing is
// fetched: a name is known or it is not. Called by schema_load.cpp only.
#include <algorithm>
#include <cctype>

#include "base/schema_state.h"

namespace mortise::base {
namespace {

struct UriParts {
  std::string scheme, authority, path, query, fragment;  // each with its ":", "//", "?", "#"
};

UriParts split_uri(std::string_view uri) {
  UriParts parts;
  const auto cut = [&uri](size_t end) {
    const std::string part(uri.substr(0, end));
    uri.remove_prefix(part.size());
    return part;
  };
  const size_t colon = uri.find_first_of(":/?#");
  if (colon != std::string_view::npos && colon > 0 && uri[colon] == ':') {
    parts.scheme = cut(colon + 1);
  }
  if (uri.starts_with("//")) parts.authority = cut(uri.find_first_of("/?#", 2));
  parts.path = cut(uri.find_first_of("?#"));
  parts.query = cut(uri.find('#'));
  parts.fragment = uri;
  return parts;
}

// RFC 3986, section 5.2.4.
std::string without_dot_segments(const std::string& path) {
  std::vector<std::string> kept;
  size_t begin = 0;
  bool ends_in_folder = false;
  while (begin <= path.size()) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string part = path.substr(begin, end - begin);
    ends_in_folder = part == "." || part == "..";
    if (part == ".." && kept.size() > 1) kept.pop_back();
    if (!ends_in_folder) kept.push_back(part);
    begin = end + 1;
  }
  if (ends_in_folder) kept.emplace_back();
  std::string out;
  for (size_t i = 0; i < kept.size(); ++i) out += (i == 0 ? "" : "/") + kept[i];
  return out;
}

std::string percent_decoded(std::string_view text) {
  const auto digit = [&](size_t at) {
    const char c = at < text.size() ? text[at] : 'x';
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
  };
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && digit(i + 1) >= 0 && digit(i + 2) >= 0) {
      out += static_cast<char>(digit(i + 1) * 16 + digit(i + 2));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace

std::string resolve_uri(const std::string& base, const std::string& reference) {
  UriParts from = split_uri(base), to = split_uri(reference);
  if (!to.scheme.empty()) return reference;
  if (!to.authority.empty()) {
    return from.scheme + to.authority + without_dot_segments(to.path) + to.query + to.fragment;
  }
  if (to.path.empty()) {
    if (to.query.empty()) to.query = from.query;
    return from.scheme + from.authority + from.path + to.query + to.fragment;
  }
  if (to.path[0] != '/') {
    const size_t slash = from.path.rfind('/');
    if (slash != std::string::npos) {
      to.path = from.path.substr(0, slash + 1) + to.path;
    } else if (!from.authority.empty()) {
      to.path = "/" + to.path;
    }
  }
  return from.scheme + from.authority + without_dot_segments(to.path) + to.query + to.fragment;
}

std::string pointer_part(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

const Json* Schema::State::resolve(const std::string& base, const std::string& reference) const {
  const std::string uri = resolve_uri(base, reference);
  const size_t hash = std::min(uri.find('#'), uri.size());
  const std::string resource = uri.substr(0, hash);
  const std::string fragment =
      hash == uri.size() ? "" : percent_decoded(std::string_view(uri).substr(hash + 1));
  if (!fragment.empty() && fragment[0] != '/') {
    const auto anchor = anchors.find(resource + "#" + fragment);
    return anchor == anchors.end() ? nullptr : anchor->second;
  }
  const auto found = resources.find(resource);
  if (found == resources.end()) return nullptr;
  const Json* target = found->second->pointer(fragment);
  // A pointer into something that is no subschema was never checked, so it is no target.
  return target != nullptr && nodes.contains(target) ? target : nullptr;
}

}  // namespace mortise::base
