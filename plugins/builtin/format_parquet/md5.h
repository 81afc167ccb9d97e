// MD5 as RFC 1321 has it, for one purpose: pictures that are named by the digest of their URL. Not
// for anything that must be safe.
//
// Called by picture_finder.cpp.
#pragma once

#include <string>
#include <string_view>

namespace mortise::format_parquet {

std::string md5_hex(std::string_view bytes);  // 32 digits, lower case

}  // namespace mortise::format_parquet
