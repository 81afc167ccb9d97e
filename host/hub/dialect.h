// One text of a statement for SQLite and PostgreSQL. Statements and tables keep to what both read:
//   ?1, ?2 ...; INSERT ... ON CONFLICT (key) DO UPDATE SET x = excluded.x; RETURNING; row values in
//   comparisons; coalesce, count, max, min, sum, instr, EXISTS; LIKE with its ESCAPE, which ignores
//   the case of ASCII letters; JSON as text; 0 and 1 for false and true; whole columns in GROUP BY;
//   WITH; row_number() OVER (PARTITION BY ... ORDER BY ...).
// Tables: TEXT, INTEGER (64 bits), REAL, `id INTEGER PRIMARY KEY` for ids that count themselves,
// CHECK, REFERENCES, UNIQUE, STRICT, WITHOUT ROWID. What the two spell differently stands in
// dialect.cpp, and nowhere else. Knows nothing of connections.
#pragma once

#include <string>
#include <string_view>

namespace mortise::hub {

// Words are replaced as they are written above; what stands in quotes stays.
std::string statement_for_postgres(std::string_view sql);
// The same for a script of CREATE statements. Texts are compared byte by byte, as SQLite does.
std::string tables_for_postgres(std::string_view script);

}  // namespace mortise::hub
