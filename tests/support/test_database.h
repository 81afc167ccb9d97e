// Which database a test's hub has: a file, or, beside tests/support/with_postgres, an empty schema
// of its own in that server. What a test says of one holds for the other.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <stdexcept>
#include <string>

namespace mortise::tests {

// postgresql://... of the server beside this program; empty when there is none.
inline std::string test_server() {
  const char* address = std::getenv("MORTISE_TEST_DATABASE");
  return address == nullptr ? std::string() : std::string(address);
}

// Runs SQL on that server, as its owner.
inline void run_on_test_server(const std::string& sql) {
  const std::string command = "psql -qXAt -v ON_ERROR_STOP=1 '" + test_server() + "' >/dev/null";
  FILE* psql = ::popen(command.c_str(), "w");
  if (psql == nullptr) throw std::runtime_error("psql does not start");
  std::fputs(sql.c_str(), psql);
  if (::pclose(psql) != 0) throw std::runtime_error("the test's PostgreSQL refused: " + sql);
}

// What Hub::open takes as its database: empty for a file in the home.
inline std::string new_test_database() {
  if (test_server().empty()) return {};
  static int count = 0;
  const std::string schema = "t" + std::to_string(::getpid()) + "_" + std::to_string(++count);
  run_on_test_server("CREATE SCHEMA " + schema);
  return test_server() + "&options=-csearch_path%3D" + schema;
}

}  // namespace mortise::tests
