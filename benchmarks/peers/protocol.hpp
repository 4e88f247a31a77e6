#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <exception>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

// The workers' side of the conversation with `run`: a line of words comes in, a line of JSON goes out. The
// Python workers do the same in protocol.py.
namespace peers {

using Clock = std::chrono::steady_clock;
/// Something to be timed; null where a worker has no such thing.
using Work = std::function<void()>;

inline double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Median milliseconds per iteration over pieces of at least a millisecond each, after a warm-up, for about
/// so many seconds and at least two iterations.
inline std::string measure(const Work& work, double seconds, bool first_time) {
  const auto once = [&](long iterations) {
    const auto start = Clock::now();
    for (long i = 0; i < iterations; ++i) work();
    return seconds_since(start);
  };
  if (first_time) once(1);
  const auto start = Clock::now();
  long each = 1;
  double last = once(each);
  while (last < 1e-3) last = once(each *= 2);
  // What is short has not been warm yet; what is long should not be done in vain.
  std::vector<double> pieces;
  if (last > 0.05) pieces.push_back(last);
  while (pieces.size() < 2 || seconds_since(start) < seconds) {
    pieces.push_back(once(each) / static_cast<double>(each));
  }
  std::sort(pieces.begin(), pieces.end());
  const std::size_t half = pieces.size() / 2;
  const double median = pieces.size() % 2 == 1 ? pieces[half] : (pieces[half - 1] + pieces[half]) / 2;
  char answer[128];
  std::snprintf(answer, sizeof answer, "{\"ms\": %.9g, \"iterations\": %ld}", median * 1e3,
                each * static_cast<long>(pieces.size()));
  return answer;
}

/// Answers lines until there are no more. `make` turns the words of a line into work, kept for the next time
/// the same line comes; `direct` answers, with a whole line of JSON, what is not measured so, else "".
inline int serve(const std::string& ready, const std::function<Work(const std::vector<std::string>&)>& make,
                 const std::function<std::string(const std::vector<std::string>&)>& direct) {
  std::cout << ready << std::endl;
  std::map<std::string, Work> kept;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream in(line);
    std::vector<std::string> words;
    for (std::string word; in >> word;) words.push_back(word);
    double seconds = 0.5;
    if (words.size() >= 2 && words[words.size() - 2] == "seconds") {
      seconds = std::stod(words.back());
      words.resize(words.size() - 2);
    }
    std::string answer;
    try {
      answer = direct(words);
      if (answer.empty()) {
        std::string key;
        for (const std::string& word : words) key += word + " ";
        const bool first_time = kept.count(key) == 0;
        if (first_time) kept[key] = make(words);
        answer = kept[key] ? measure(kept[key], seconds, first_time) : "{\"skip\": \"not there\"}";
      }
    } catch (const std::exception& error) {
      std::cerr << error.what() << std::endl;
      answer = "{\"error\": \"exception, see the log\"}";
    }
    std::cout << answer << std::endl;
  }
  return 0;
}

inline long number(const std::vector<std::string>& words, std::size_t at) {
  if (at >= words.size()) throw std::runtime_error("a number is missing in: " + words.at(0));
  return std::stol(words[at]);
}

/// Numbers between -1 and 1 that both C++ workers get alike.
inline void fill(float* data, std::size_t count, double frequency, double scale) {
  for (std::size_t i = 0; i < count; ++i) {
    data[i] = static_cast<float>(scale * std::sin(frequency * static_cast<double>(i + 1)));
  }
}

/// Gives the threads that the command line asks for.
inline int threads_of(int argc, char** argv) {
  return argc > 2 && std::string(argv[1]) == "--threads" ? std::stoi(argv[2]) : 1;
}

}  // namespace peers
