# cmake -DDOCUMENTS=a.json|rows/b.json -DFOLDER=... -DOUTPUT=schemas.cpp -P embed.cmake
# Writes the documents as raw string literals in one table, sorted by name.
string(REPLACE "|" ";" documents "${DOCUMENTS}")
set(text "#include \"schemas/schemas.h\"\n\nnamespace mortise::schemas {\nnamespace {\n")
set(table "")
set(index 0)
foreach(name ${documents})
  file(READ ${FOLDER}/${name} content)
  # A literal of at most 16,000 characters is what every compiler promises; pieces join by themselves.
  string(LENGTH "${content}" length)
  set(offset 0)
  string(APPEND text "constexpr std::string_view kDocument${index} =")
  while(offset LESS length)
    string(SUBSTRING "${content}" ${offset} 12000 piece)
    string(APPEND text "\n    R\"mortise(${piece})mortise\"")
    math(EXPR offset "${offset} + 12000")
  endwhile()
  if(length EQUAL 0)
    string(APPEND text " \"\"")
  endif()
  string(APPEND text ";\n")
  string(APPEND table "    {\"${name}\", kDocument${index}},\n")
  math(EXPR index "${index} + 1")
endforeach()
string(APPEND text "constexpr Document kDocuments[] = {\n${table}};\n}  // namespace\n\n")
string(APPEND text "std::span<const Document> documents() { return kDocuments; }\n\n"
       "std::string_view text(std::string_view name) {\n"
       "  for (const Document& document : kDocuments) {\n"
       "    if (document.name == name) return document.text;\n  }\n  return {};\n}\n\n"
       "}  // namespace mortise::schemas\n")
file(WRITE ${OUTPUT} "${text}")
