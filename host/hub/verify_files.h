// Whether models and what jobs made are whole: each file that the database names is there and reads
// to its end as the bytes that were recorded; what is sealed authenticates on the way. The second
// half of verify.h, and called by it.
#pragma once

#include <string>

#include "hub/home_files.h"
#include "hub/verify.h"

namespace mortise::hub {

// What keeps us from looking at one object or file and says nothing of the others.
bool is_damage(base::Code code);

// Reads on from `place` ("": the first file) until report.bytes_read has reached bytes_max, and
// answers where to go on; "" when all was read. Adds to `report`. Errors: as verify.
base::Result<std::string> verify_files(Hub& hub, const HomeFiles& named, const std::string& place,
                                       uint64_t bytes_max, VerifyReport& report);

}  // namespace mortise::hub
