// Rows from one database into another (database_engine.h).
#include <vector>

#include "hub/database_engine.h"

namespace mortise::hub {
namespace {

using base::Result;
using base::Status;

struct Column {
  std::string name;
  std::string type;  // as tables.h writes it
};

// In the order in which they were made: what is referred to comes first.
Result<std::vector<std::string>> tables_of(Connection& sqlite) {
  std::vector<std::string> tables;
  MORTISE_TRY(
      sqlite.run("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
                 " ORDER BY rowid",
                 {}, [&](const Row& row) { tables.push_back(row.text(0)); }));
  return tables;
}

Result<std::vector<Column>> columns_of(Connection& sqlite, const std::string& table) {
  std::vector<Column> columns;
  MORTISE_TRY(sqlite.run("SELECT name, type FROM pragma_table_info(?1) ORDER BY cid", {table},
                         [&](const Row& row) {
                           columns.push_back({row.text(0), row.text(1)});
                         }));
  return columns;
}

Value value_of(const Row& row, int column, const std::string& type) {
  if (row.is_null(column)) return nullptr;
  if (type == "INTEGER") return row.integer(column);
  if (type == "REAL") return row.real(column);
  return row.text(column);
}

Status copy_table(Connection& from, Connection& to, const std::string& table,
                  const std::vector<Column>& columns) {
  std::string names, places;
  for (size_t i = 0; i < columns.size(); ++i) {
    names += (i == 0 ? "" : ", ") + columns[i].name;
    places += (i == 0 ? "?" : ", ?") + std::to_string(i + 1);
  }
  const std::string select = "SELECT " + names + " FROM " + table;
  const std::string insert = "INSERT INTO " + table + " (" + names + ") VALUES (" + places + ")";
  Status status;
  MORTISE_TRY(from.run(select, {}, [&](const Row& row) {
    if (!status.ok()) return;
    Values values;
    for (size_t i = 0; i < columns.size(); ++i) {
      values.push_back(value_of(row, static_cast<int>(i), columns[i].type));
    }
    const auto inserted = to.run(insert, values);
    if (!inserted.ok()) status = inserted.error();
  }));
  return status;
}

}  // namespace

Status copy_rows(Connection& from, Connection& to, Connection& sqlite) {
  MORTISE_ASSIGN(const auto tables, tables_of(sqlite));
  for (const std::string& table : tables) {
    MORTISE_ASSIGN(const auto columns, columns_of(sqlite, table));
    MORTISE_TRY(copy_table(from, to, table, columns));
  }
  return {};
}

}  // namespace mortise::hub
