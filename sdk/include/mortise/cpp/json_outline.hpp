// mortise/cpp/json_outline.hpp: what a JSON document holds at its top, for probe.
//
// Used by formats that tell COCO, VQA and other documents apart. Works on the first bytes of a
// file: what lies beyond them is not seen, and a document that is no JSON has the outline that was
// seen before the mistake.
#ifndef MORTISE_CPP_JSON_OUTLINE_HPP
#define MORTISE_CPP_JSON_OUTLINE_HPP

#include <mortise/cpp/json_walk.hpp>

#include <initializer_list>

namespace mortise::sdk {

// A value and, where it is or begins with an object, the keys of that object.
struct JsonShape {
  char kind = '\0';               // '{', '[', '"', or the first byte of a word; '\0': not seen
  char item_kind = '\0';          // of an array's first item, or of an object's first value
  std::vector<std::string> keys;  // of the object, or of the first item

  bool has(std::initializer_list<std::string_view> wanted) const {
    return std::all_of(wanted.begin(), wanted.end(), [this](std::string_view key) {
      return std::find(keys.begin(), keys.end(), key) != keys.end();
    });
  }
};

struct JsonOutline {
  JsonShape root;
  std::vector<std::pair<std::string, JsonShape>> members;  // of a root that is an object
  bool is_whole = false;  // the document ends inside the bytes, and nothing comes after it

  const JsonShape* find(std::string_view key) const {
    for (const auto& [name, shape] : members) {
      if (name == key) return &shape;
    }
    return nullptr;
  }
};

// Walks over one value and tells its shape; what was seen stands in *shape when it throws.
inline void walk_shape(JsonWalker* walker, JsonShape* shape) {
  const auto keys = [&] {
    walker->for_each_member([&](const std::string& key) {
      shape->keys.push_back(key);
      if (shape->kind == '{' && shape->item_kind == '\0') shape->item_kind = walker->peek();
      walker->skip();
    });
  };
  shape->kind = walker->peek();
  if (shape->kind == '{') return keys();
  if (shape->kind != '[') return walker->skip();
  walker->for_each_item([&] {
    if (shape->item_kind != '\0') return walker->skip();
    shape->item_kind = walker->peek();
    if (shape->item_kind == '{') return keys();
    walker->skip();
  });
}

// The whole outline of a document, as far as it can be read. Throws what walking throws.
inline void walk_outline(JsonWalker* walker, JsonOutline* outline) {
  outline->root.kind = walker->peek();
  if (outline->root.kind == '{') {
    walker->for_each_member([&](const std::string& key) {
      outline->root.keys.push_back(key);
      if (outline->root.item_kind == '\0') outline->root.item_kind = walker->peek();
      outline->members.emplace_back(key, JsonShape());
      walk_shape(walker, &outline->members.back().second);
    });
  } else {
    walk_shape(walker, &outline->root);
  }
  walker->expect_end();
  outline->is_whole = true;
}

// head: the beginning of a file. Never throws for what stands in it.
inline JsonOutline outline_of(std::string_view head) {
  JsonOutline outline;
  JsonWalkLimits limits;
  limits.value_bytes = 1 << 16;
  JsonWalker walker(ByteReader::over(head), limits);
  try {
    walk_outline(&walker, &outline);
  } catch (const Failure&) {
  }
  return outline;
}

}  // namespace mortise::sdk

#endif
