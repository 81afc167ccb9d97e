// The functions of all seats of the device family; see wrap.h.
#include "plugin/wrap.h"

namespace mortise::plugin {

template base::Result<const mortise_device_ops*> wrap_table<mortise_device_ops>(const void*,
                                                                                const std::string&,
                                                                                const std::string&,
                                                                                bool);
template base::Result<const mortise_device_discovery*> wrap_table<mortise_device_discovery>(
    const void*, const std::string&, const std::string&, bool);
template base::Result<const mortise_device_memory*> wrap_table<mortise_device_memory>(
    const void*, const std::string&, const std::string&, bool);
template base::Result<const mortise_device_stream*> wrap_table<mortise_device_stream>(
    const void*, const std::string&, const std::string&, bool);
template base::Result<const mortise_device_torch_bridge*> wrap_table<mortise_device_torch_bridge>(
    const void*, const std::string&, const std::string&, bool);
template base::Result<const mortise_device_telemetry*> wrap_table<mortise_device_telemetry>(
    const void*, const std::string&, const std::string&, bool);
template base::Result<const mortise_device_partition*> wrap_table<mortise_device_partition>(
    const void*, const std::string&, const std::string&, bool);
template base::Result<const mortise_device_collective*> wrap_table<mortise_device_collective>(
    const void*, const std::string&, const std::string&, bool);

}  // namespace mortise::plugin
