// mortise/cpp/format_writer.hpp: write the other half of a format as a class;
// format_writer_table<T>() makes the C table.
//
// T derives from FormatWriter and is made as T(std::string_view uri, const ArrowSchema& schema,
// Json config). Its destructor without commit() must leave nothing that a reader would take for a
// data set; File of files.hpp does that by itself.
#ifndef MORTISE_CPP_FORMAT_WRITER_HPP
#define MORTISE_CPP_FORMAT_WRITER_HPP

#include <mortise/kind/format_writer.h>
#include <mortise/cpp/arrow_read.hpp>
#include <mortise/cpp/json_parse.hpp>
#include <mortise/cpp/view.hpp>

namespace mortise::sdk {

class FormatWriter {
 public:
  virtual ~FormatWriter() = default;
  // batch: of the schema given at the start. [serial]
  virtual void append(const StructView& batch) = 0;
  // Makes the files visible. The object ends after it, on failure too. [serial]
  virtual void commit() = 0;
};

// The table of MORTISE_KIND_DATASET_FORMAT_WRITER over class T; lives as long as the process.
template <class T>
const mortise_dataset_format_writer* format_writer_table() {
  using Instance = mortise_format_writer_instance;
  static const mortise_dataset_format_writer table = [] {
    mortise_dataset_format_writer t{};
    t.struct_size = sizeof(t);
    t.open = [](mortise_text uri, const ArrowSchema* schema, mortise_text config, Instance** out,
                mortise_error* error) {
      return guarded(error, [&] {
        check_format(*schema, "+s");
        const JsonDocument document = parse_config(view(config));
        FormatWriter* made = new T(view(uri), *schema, document.root());
        *out = reinterpret_cast<Instance*>(made);
      });
    };
    t.append = [](Instance* instance, const ArrowArray* batch, mortise_error* error) {
      return guarded(error,
                     [&] { reinterpret_cast<FormatWriter*>(instance)->append(StructView(batch)); });
    };
    t.commit = [](Instance* instance, mortise_error* error) {
      return guarded(error, [&] {
        const std::unique_ptr<FormatWriter> last(reinterpret_cast<FormatWriter*>(instance));
        last->commit();
      });
    };
    t.abort = [](Instance* instance) { delete reinterpret_cast<FormatWriter*>(instance); };
    return t;
  }();
  return &table;
}

}  // namespace mortise::sdk

#endif
