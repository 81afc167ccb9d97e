// Objects that plugins may point to for the life of the process: kept on purpose, and listed so
// that a leak checker sees them as reachable. Used by plugin, library, guard and host_services.
#pragma once

namespace mortise::plugin {

void keep_pointer(const void* pointer);  // [any]

template <class T>
T* keep_forever(T* object) {
  keep_pointer(object);
  return object;
}

}  // namespace mortise::plugin
