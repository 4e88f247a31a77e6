#pragma once

// How the examples draw: data files and a gnuplot script in one directory, and gnuplot, where it is
// installed, makes a picture of them.

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <stdexcept>
#include <string>
#include <vector>

class Plot {
 public:
  /// Makes the directory. The picture is `picture` or, where that is empty, NAME.png in the directory.
  Plot(const std::string& directory, std::string name, const std::string& picture)
      : directory_(directory), name_(std::move(name)) {
    namespace fs = std::filesystem;
    picture_ = fs::absolute(picture.empty() ? directory_ / (name_ + ".png") : fs::path(picture));
    fs::create_directories(directory_);
    fs::create_directories(picture_.parent_path());
  }

  /// Writes a file whose values gnuplot reads, a line for each row.
  void write(const std::string& file, const std::string& lines) const {
    std::ofstream out(directory_ / file);
    out << lines;
    out.close();
    if (!out) throw std::runtime_error("cannot write into the directory " + directory_.string());
  }

  /// Writes the script and runs it, in the directory. `script` sets no output.
  void draw(const std::string& script) const {
    namespace fs = std::filesystem;
    const std::string script_file = name_ + ".gp";
    write(script_file,
          "set output '" + std::regex_replace(picture_.string(), std::regex("'"), "''") + "'" + script);
    std::fflush(stdout);
    if (std::system("gnuplot --version") != 0) {
      std::printf("No picture was drawn, for gnuplot is not installed. With it: cd %s && gnuplot %s\n",
                  directory_.string().c_str(), script_file.c_str());
      return;
    }
    const fs::path before = fs::current_path();
    fs::current_path(directory_);
    const int status = std::system(("gnuplot " + script_file).c_str());
    fs::current_path(before);
    if (status != 0) throw std::runtime_error("gnuplot failed in " + directory_.string());
    std::printf("picture: %s\n", picture_.string().c_str());
  }

 private:
  std::filesystem::path directory_;
  std::string name_;
  std::filesystem::path picture_;
};
