// Every step leaves the text alone when it has nothing to do, since most texts need nothing.
#include "normalizer.h"

#include <algorithm>

namespace mortise::tokenizers {
namespace {

template <class Test>
bool any_code_point(std::string_view text, Test&& test) {
  for (size_t i = 0; i < text.size();) {
    const CodePoint c = code_point_at(text, i);
    if (test(c.value)) return true;
    i += c.size_bytes;
  }
  return false;
}

// Cluster by cluster, so that each byte of the result knows its origin.
void apply_form(Form form, AlignedText& text) {
  const std::string_view bytes = text.bytes();
  if (!may_change(form, bytes)) return;
  Edit edit(text);
  size_t kept = 0;  // from here to `begin` nothing changes
  for (size_t begin = 0; begin < bytes.size();) {
    const CodePoint first = code_point_at(bytes, begin);
    bool is_quiet = !may_change(form, first.value);
    size_t end = begin + first.size_bytes;
    while (end < bytes.size()) {
      const CodePoint c = code_point_at(bytes, end);
      if (starts_cluster(c.value)) break;
      is_quiet = is_quiet && !may_change(form, c.value);
      end += c.size_bytes;
    }
    const Range range{begin, end};
    begin = end;
    if (is_quiet) continue;
    const std::string changed = normal_form(form, text.bytes(range));
    if (changed == text.bytes(range)) continue;
    edit.keep({kept, range.begin});
    edit.put(changed, range);
    kept = end;
  }
  edit.keep({kept, bytes.size()});
  text = edit.take();
}

void apply_lowercase(AlignedText& text) {
  Edit edit(text);
  std::string lower;
  for (size_t i = 0; i < text.size();) {
    const CodePoint c = code_point_at(text.bytes(), i);
    lower.clear();
    append_lower(c.value, lower);
    edit.put(lower, {i, i + c.size_bytes});
    i += c.size_bytes;
  }
  text = edit.take();
}

void apply_strip(const NormalizerStep& step, AlignedText& text) {
  const std::string_view bytes = text.bytes();
  Range kept{0, bytes.size()};
  while (step.left && !kept.empty()) {
    const CodePoint c = code_point_at(bytes, kept.begin);
    if (!is_space(c.value)) break;
    kept.begin += c.size_bytes;
  }
  while (step.right && !kept.empty()) {
    size_t last = kept.end - 1;
    while ((static_cast<uint8_t>(bytes[last]) & 0xC0) == 0x80) --last;
    if (!is_space(code_point_at(bytes, last).value)) break;
    kept.end = last;
  }
  if (kept.begin == 0 && kept.end == bytes.size()) return;
  Edit edit(text);
  edit.keep(kept);
  text = edit.take();
}

void apply_strip_accents(const NormalizerStep& step, AlignedText& text) {
  const auto is_mark = step.all_marks ? tokenizers::is_mark : is_nonspacing_mark;
  if (!any_code_point(text.bytes(), is_mark)) return;
  Edit edit(text);
  for (size_t i = 0; i < text.size();) {
    const CodePoint c = code_point_at(text.bytes(), i);
    if (!is_mark(c.value)) edit.keep({i, i + c.size_bytes});
    i += c.size_bytes;
  }
  text = edit.take();
}

void apply_replace(const NormalizerStep& step, AlignedText& text) {
  const std::vector<Range> found = step.pattern.matches(text.bytes());
  if (found.empty()) return;
  Edit edit(text);
  size_t at = 0;
  for (const Range& match : found) {
    edit.keep({at, match.begin});
    edit.put(step.content, match);
    at = match.end;
  }
  edit.keep({at, text.size()});
  text = edit.take();
}

// As BERT's BasicTokenizer cleans.
void apply_clean(AlignedText& text) {
  Edit edit(text);
  for (size_t i = 0; i < text.size();) {
    const CodePoint c = code_point_at(text.bytes(), i);
    const Range range{i, i + c.size_bytes};
    i = range.end;
    const bool is_break = c.value == '\t' || c.value == '\n' || c.value == '\r';
    if (!is_break && (c.value == 0xFFFD || is_control(c.value))) continue;
    if (is_space(c.value)) {
      edit.put(" ", range);
    } else {
      edit.keep(range);
    }
  }
  text = edit.take();
}

void apply_pad_han(AlignedText& text) {
  if (!any_code_point(text.bytes(), is_han)) return;
  Edit edit(text);
  for (size_t i = 0; i < text.size();) {
    const CodePoint c = code_point_at(text.bytes(), i);
    const Range range{i, i + c.size_bytes};
    i = range.end;
    const bool padded = is_han(c.value);
    if (padded) edit.put(" ", range);
    edit.keep(range);
    if (padded) edit.put(" ", range);
  }
  text = edit.take();
}

void apply_prepend(const NormalizerStep& step, AlignedText& text) {
  if (text.size() == 0) return;
  Edit edit(text);
  edit.put(step.content, {0, 0});
  edit.keep({0, text.size()});
  text = edit.take();
}

}  // namespace

bool Normalizer::may_change(std::string_view text) const {
  return std::ranges::any_of(steps_, [text](const NormalizerStep& step) {
    return step.kind != NormalizerStep::Kind::kForm || tokenizers::may_change(step.form, text);
  });
}

void Normalizer::apply(AlignedText& text) const {
  for (const NormalizerStep& step : steps_) {
    switch (step.kind) {
      case NormalizerStep::Kind::kForm:
        apply_form(step.form, text);
        break;
      case NormalizerStep::Kind::kLowercase:
        apply_lowercase(text);
        break;
      case NormalizerStep::Kind::kStrip:
        apply_strip(step, text);
        break;
      case NormalizerStep::Kind::kStripAccents:
        apply_strip_accents(step, text);
        break;
      case NormalizerStep::Kind::kReplace:
        apply_replace(step, text);
        break;
      case NormalizerStep::Kind::kPrepend:
        apply_prepend(step, text);
        break;
      case NormalizerStep::Kind::kClean:
        apply_clean(text);
        break;
      case NormalizerStep::Kind::kChange:
        step.change->apply(text);
        break;
      case NormalizerStep::Kind::kPadHan:
        apply_pad_han(text);
        break;
    }
  }
}

}  // namespace mortise::tokenizers
