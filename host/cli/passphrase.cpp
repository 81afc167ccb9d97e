// See passphrase.h.
#include "cli/passphrase.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace mortise::cli {

using base::Code;
using base::Error;
using base::Result;

namespace {

constexpr size_t kSizeMax = 4096;

Error usage(std::string message, std::string hint) {
  return Error(Code::kInvalidArgument, std::move(message), std::move(hint)).with("exit_code", "2");
}

struct Descriptor {
  int number = -1;
  explicit Descriptor(int open) : number(open) {}
  Descriptor(const Descriptor&) = delete;
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
};

// Byte by byte: what follows the line is another reader's.
Result<std::string> read_line(int descriptor) {
  std::string line;
  for (char c = 0; line.size() < kSizeMax;) {
    const ssize_t got = ::read(descriptor, &c, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      return Error(Code::kInvalidArgument,
                   std::string("The passphrase cannot be read: ") + std::strerror(errno) + ".");
    }
    if (got == 0 || c == '\n') break;
    line += c;
  }
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

Result<std::string> read_from_file(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat facts {};
  if (file.number < 0 || ::fstat(file.number, &facts) != 0) {
    return Error(Code::kNotFound,
                 std::string("The passphrase cannot be read: ") + std::strerror(errno) + ".")
        .at_file(path);
  }
  if (S_ISREG(facts.st_mode) && (facts.st_mode & 077) != 0) {
    return Error(Code::kFailedPrecondition, "Others than the owner may read the passphrase.",
                 "Run chmod 0400 on it.")
        .at_file(path);
  }
  return read_line(file.number);
}

// Echo is off from the question to the answer, whatever ends it.
Result<std::string> ask(int terminal, const std::string& question) {
  termios before{};
  if (::tcgetattr(terminal, &before) != 0) return usage("There is no terminal to ask at.", "");
  termios silent = before;
  silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  (void)!::write(terminal, question.data(), question.size());
  ::tcsetattr(terminal, TCSAFLUSH, &silent);
  auto line = read_line(terminal);
  ::tcsetattr(terminal, TCSAFLUSH, &before);
  (void)!::write(terminal, "\n", 1);
  return line;
}

}  // namespace

bool names_passphrase(const Arguments& arguments) {
  return arguments.has(kPassphraseFile.name) || arguments.has(kPassphraseDescriptor.name);
}

Result<std::string> read_passphrase(const Arguments& arguments, bool is_new) {
  if (arguments.has(kPassphraseFile.name)) {
    return read_from_file(arguments.text(kPassphraseFile.name));
  }
  if (arguments.has(kPassphraseDescriptor.name)) {
    MORTISE_ASSIGN(const int64_t number, arguments.integer(kPassphraseDescriptor.name, -1));
    return read_line(static_cast<int>(number));
  }
  const Descriptor terminal(::open("/dev/tty", O_RDWR | O_CLOEXEC));
  if (terminal.number < 0) {
    return usage("There is no terminal to ask for the passphrase at.",
                 "Give --passphrase-file FILE or --passphrase-descriptor N.");
  }
  MORTISE_ASSIGN(std::string passphrase, ask(terminal.number, "Passphrase: "));
  if (!is_new) return passphrase;
  MORTISE_ASSIGN(const std::string again, ask(terminal.number, "Once more: "));
  if (again == passphrase) return passphrase;
  return usage("The two are not the same.", "Run the command again.");
}

}  // namespace mortise::cli
