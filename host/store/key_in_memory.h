// The root key that is 32 bytes in memory, wherever they came from: a file, a passphrase, a program
// of the site. Used by root_key*.cpp only.
#pragma once

#include "store/keyring.h"

namespace mortise::store {

// wrapped = nonce 24 | XAES-256-GCM of the secret with the context as additional data
std::unique_ptr<RootKey> key_in_memory(base::Random& random, base::Secret key);

}  // namespace mortise::store
