// mortise/cpp/format_table.hpp: format_table<T>() makes the C table over a Format class.
//
// Refuses unknown columns, shards and flags before T sees them. Included by the one source of a
// pack that has MORTISE_PLUGIN.
#ifndef MORTISE_CPP_FORMAT_TABLE_HPP
#define MORTISE_CPP_FORMAT_TABLE_HPP

#include <mortise/cpp/format_stream.hpp>
#include <mortise/cpp/json_parse.hpp>
#include <mortise/cpp/view.hpp>

namespace mortise::sdk {
namespace detail {

inline const Format& self(mortise_format_instance* instance) {
  return *reinterpret_cast<const Format*>(instance);
}

inline ScanOptions read_options(const mortise_scan_options* from) {
  const auto raw = read_struct(from);
  check_flags(raw.flags, 0, "mortise_scan_options");
  check_reserved(raw.reserved, "mortise_scan_options");
  ScanOptions options;
  for (uint32_t i = 0; i < raw.columns_count; ++i) {
    options.columns.emplace_back(view(raw.columns[i]));
  }
  options.shard_index = raw.shard_index;
  options.cursor = view(raw.cursor);
  options.batch_rows_max = raw.batch_rows_max;
  options.batch_bytes_max = raw.batch_bytes_max;
  return options;
}

inline void start_scan(const Format& format, const ScanOptions& options, ArrowArrayStream* out) {
  const uint32_t shards = format.describe().shards_count;
  if (options.shard_index >= shards) {
    throw invalid_argument("shard_index is " + std::to_string(options.shard_index) +
                           ", but the data set has " + std::to_string(shards) + " shards.");
  }
  auto state = std::make_unique<StreamState>();
  state->schema = format.schema();
  if (!options.columns.empty()) {
    std::vector<Schema> fields;
    for (const std::string& name : options.columns) {
      const int64_t index = find_field(*state->schema.get(), name);
      if (index < 0) {
        throw invalid_argument("There is no column \"" + name + "\".").at("", -1, -1, name);
      }
      fields.push_back(copy_schema(*state->schema.get()->children[index]));
      if (!format.projects()) state->selected.push_back(index);
    }
    state->schema = struct_schema(std::move(fields));
  }
  state->stream = format.scan(options);
  move_stream(std::move(state), out);
}

// The slots that do not depend on the class.
inline void fill_streams(mortise_dataset_format* t) {
  using Instance = mortise_format_instance;
  t->scan = [](Instance* instance, const mortise_scan_options* options, ArrowArrayStream* out,
               mortise_error* error) {
    return guarded(error, [&] { start_scan(self(instance), read_options(options), out); });
  };
  t->cursor = [](Instance*, ArrowArrayStream* stream, mortise_sink* out, mortise_error* error) {
    return guarded(error, [&] { write_sink(out, state_of(stream)->stream->cursor()); });
  };
  t->stream_error = [](Instance*, ArrowArrayStream* stream, mortise_error* error) {
    return guarded(error, [&] {
      if (state_of(stream)->failure) throw Failure(*state_of(stream)->failure);
    });
  };
}

}  // namespace detail

// The table of MORTISE_KIND_DATASET_FORMAT over class T; lives as long as the process.
template <class T>
const mortise_dataset_format* format_table() {
  using Instance = mortise_format_instance;
  static const mortise_dataset_format table = [] {
    mortise_dataset_format t{};
    t.struct_size = sizeof(t);
    t.probe = [](const mortise_format_sample* sample, uint32_t* out_score, mortise_sink* reason,
                 mortise_error* error) {
      return guarded(error, [&] {
        const auto raw = read_struct(sample);
        const ProbeResult result = T::probe({view(raw.name), view(raw.head), raw.size_bytes});
        *out_score = result.score;
        write_sink(reason, result.reason);
      });
    };
    t.open = [](const mortise_text* uris, uint32_t uris_count, mortise_text config, Instance** out,
                mortise_error* error) {
      return guarded(error, [&] {
        std::vector<std::string> names;
        for (uint32_t i = 0; i < uris_count; ++i) names.emplace_back(view(uris[i]));
        const JsonDocument document = parse_config(view(config));
        Format* made = new T(std::move(names), document.root());
        *out = reinterpret_cast<Instance*>(made);
      });
    };
    t.close = [](Instance* instance) { delete reinterpret_cast<Format*>(instance); };
    t.describe = [](Instance* instance, ArrowSchema* out_schema, mortise_format_facts* out_facts,
                    mortise_error* error) {
      return guarded(error, [&] {
        const FormatFacts facts = detail::self(instance).describe();
        Schema schema = detail::self(instance).schema();
        mortise_format_facts raw{};
        raw.row_count_hint = facts.row_count_hint;
        raw.shards_count = facts.shards_count;
        write_struct(out_facts, raw);
        schema.move_to(out_schema);
      });
    };
    detail::fill_streams(&t);
    return t;
  }();
  return &table;
}

}  // namespace mortise::sdk

#endif
