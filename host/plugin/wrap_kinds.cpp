// The functions of all seats of the kinds; see wrap.h.
#include "plugin/wrap.h"

namespace mortise::plugin {

template base::Result<const mortise_metric*> wrap_table<mortise_metric>(const void*,
                                                                        const std::string&,
                                                                        const std::string&, bool);
template base::Result<const mortise_tokenizer*> wrap_table<mortise_tokenizer>(const void*,
                                                                              const std::string&,
                                                                              const std::string&,
                                                                              bool);
template base::Result<const mortise_dataset_format*> wrap_table<mortise_dataset_format>(
    const void*, const std::string&, const std::string&, bool);
template base::Result<const mortise_dataset_format_writer*>
wrap_table<mortise_dataset_format_writer>(const void*, const std::string&, const std::string&,
                                          bool);
template base::Result<const mortise_loss*> wrap_table<mortise_loss>(const void*, const std::string&,
                                                                    const std::string&, bool);
template base::Result<const mortise_preference_loss*> wrap_table<mortise_preference_loss>(
    const void*, const std::string&, const std::string&, bool);
template base::Result<const mortise_tokenizer_trainer*> wrap_table<mortise_tokenizer_trainer>(
    const void*, const std::string&, const std::string&, bool);

}  // namespace mortise::plugin
