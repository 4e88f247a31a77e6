// Sessions of log keys of HDFS: how well abnormal ones are found by the probability of each key. By hand:
//
//     reprise_detection_hdfs FOLDER [SEEDS] [EPOCHS] [WINDOW]
//
// FOLDER holds hdfs_train.txt, hdfs_normal_sample.txt and hdfs_test_abnormal.txt, a session a line (see
// docs/symbols.md). Prints a line for each seed and rule, and their means. The thresholds come from the first
// 2,000 sessions of the normal sample; the rest of it and all abnormal sessions are judged.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <reprise/baselines/symbols.hpp>
#include <reprise/evaluation/metrics.hpp>
#include <reprise/models/symbol_predictor.hpp>
#include <reprise/thresholds/p_values.hpp>

namespace {

using reprise::Index;
using Session = std::vector<int>;
using Sessions = std::vector<Session>;

constexpr std::size_t calibration_sessions = 2000;
constexpr double all_normal =
    553366;  // normal sessions to test in the whole set, of which the file is a sample

Sessions read(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error(path + ": expected a file of sessions, got none");
  Sessions sessions;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    Session session;
    for (int key = 0; words >> key;) session.push_back(key);
    if (!session.empty()) sessions.push_back(session);
  }
  return sessions;
}

/// Of sessions that were counted, the scores: calibration, test normal, test abnormal.
struct Scores {
  std::vector<double> calibration, normal, abnormal;
};

struct Result {
  double f1 = 0.0, precision = 0.0, recall = 0.0;
  Index false_positives = 0;
};

/// False positives are scaled up from the sample to all normal sessions.
Result judge(const std::vector<bool>& normal, const std::vector<bool>& abnormal) {
  const auto flagged = [](const std::vector<bool>& of) {
    return static_cast<double>(std::count(of.begin(), of.end(), true));
  };
  Result result;
  result.false_positives = static_cast<Index>(flagged(normal));
  const double tp = flagged(abnormal), fp = flagged(normal) * all_normal / static_cast<double>(normal.size());
  result.precision = tp / std::max(1.0, tp + fp);
  result.recall = tp / static_cast<double>(abnormal.size());
  result.f1 = 2 * tp / (2 * tp + fp + static_cast<double>(abnormal.size()) - tp);
  return result;
}

std::vector<bool> above(const std::vector<double>& scores, double threshold) {
  std::vector<bool> result;
  for (const double score : scores) result.push_back(score > threshold);
  return result;
}

double quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  const double at = q * static_cast<double>(values.size() - 1);
  const auto low = static_cast<std::size_t>(at);
  const std::size_t high = std::min(low + 1, values.size() - 1);
  return values[low] + (at - static_cast<double>(low)) * (values[high] - values[low]);
}

double auc(const Scores& scores) {
  std::vector<double> all = scores.normal;
  all.insert(all.end(), scores.abnormal.begin(), scores.abnormal.end());
  std::vector<bool> labels(all.size(), false);
  std::fill(labels.begin() + static_cast<std::ptrdiff_t>(scores.normal.size()), labels.end(), true);
  return reprise::roc_auc(all, labels);
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::vector<bool> both(const std::vector<bool>& a, const std::vector<bool>& b) {
  std::vector<bool> result;
  for (std::size_t i = 0; i < a.size(); ++i) result.push_back(a[i] && b[i]);
  return result;
}

/// One of each.
Sessions distinct(const Sessions& sessions) {
  const std::set<Session> all(sessions.begin(), sessions.end());
  return {all.begin(), all.end()};
}

/// Whether the p-values of normal sessions hold what they promise: how far the smoothed ones are from
/// uniform, which should be below the bound in 19 of 20 cases, and how many of the plain ones are small.
void print_promise(const Scores& scores) {
  std::vector<double> smoothed =
      reprise::p_values(scores.calibration, scores.normal, {.smoothed = true, .seed = 1});
  const std::vector<double> plain = reprise::p_values(scores.calibration, scores.normal);
  std::sort(smoothed.begin(), smoothed.end());
  const auto n = static_cast<double>(smoothed.size());
  double distance = 0.0;
  for (std::size_t i = 0; i < smoothed.size(); ++i) {
    const auto at = static_cast<double>(i);
    distance = std::max({distance, smoothed[i] - at / n, (at + 1.0) / n - smoothed[i]});
  }
  const double bound = 1.36 * std::sqrt(1.0 / n + 1.0 / static_cast<double>(scores.calibration.size()));
  std::printf("    p-values: distance %.4f, bound %.4f; share of plain ones", distance, bound);
  for (const double alpha : {0.05, 0.01, 0.001}) {
    const auto small = std::count_if(plain.begin(), plain.end(), [&](double p) { return p <= alpha; });
    std::printf(" <= %g: %.4f", alpha, static_cast<double>(small) / n);
  }
  std::printf("\n");
}

class Table {
 public:
  void add(const std::string& rule, const Result& result) {
    std::printf("  %-52s F1 %.4f  precision %.4f  recall %.4f  false %lld\n", rule.c_str(), result.f1,
                result.precision, result.recall, static_cast<long long>(result.false_positives));
    if (!results_.contains(rule)) order_.push_back(rule);
    results_[rule].push_back(result.f1);
  }
  void means() const {
    std::printf("means of the seeds\n");
    for (const std::string& rule : order_) {
      double sum = 0.0;
      for (const double f1 : results_.at(rule)) sum += f1;
      std::printf("  %-52s F1 %.4f\n", rule.c_str(), sum / static_cast<double>(results_.at(rule).size()));
    }
  }

 private:
  std::vector<std::string> order_;
  std::map<std::string, std::vector<double>> results_;
};

/// Which sessions are flagged.
struct Flags {
  std::vector<bool> normal, abnormal;
};
struct Data {
  const Sessions &calibration, &normal, &abnormal;
};

std::vector<bool> outside(const std::vector<reprise::SessionScore>& scores, Index g) {
  std::vector<bool> result;
  for (const auto& score : scores) result.push_back(reprise::outside_top(score, g));
  return result;
}

/// All thresholds and rules on the scores of one model, whose name in the tables begins with `name`.
template <typename Model>
void judge_scores(const std::string& name, const Model& model, const Data& data, const Flags& unknown,
                  Table& table) {
  const auto start = std::chrono::steady_clock::now();
  const auto of_calibration = model.score(data.calibration), of_normal = model.score(data.normal);
  const auto of_abnormal = model.score(data.abnormal);
  std::printf("  scored all sessions in %.2f s\n", seconds_since(start));
  for (const bool mean : {true, false}) {
    const auto of = mean ? reprise::mean_surprisals : reprise::largest_surprisals;
    const Scores scores{of(of_calibration), of(of_normal), of(of_abnormal)};
    const std::string score = name + (mean ? "mean surprisal" : "largest surprisal");
    std::printf("  %s: ROC-AUC %.5f, of distinct sessions %.5f\n", score.c_str(), auc(scores),
                auc({{}, of(model.score(distinct(data.normal))), of(model.score(distinct(data.abnormal)))}));
    print_promise(scores);
    for (const double q : {0.99, 0.995, 0.998, 0.999}) {
      const double threshold = quantile(scores.calibration, q);
      char text[40];
      std::snprintf(text, sizeof text, ", quantile %.3f", q);
      const Flags flags{above(scores.normal, threshold), above(scores.abnormal, threshold)};
      table.add(score + text, judge(flags.normal, flags.abnormal));
      table.add(score + text + ", unseen counts",
                judge(both(flags.normal, unknown.normal), both(flags.abnormal, unknown.abnormal)));
    }
  }
  for (const Index g : {5, 9}) {
    table.add(name + "top " + std::to_string(g), judge(outside(of_normal, g), outside(of_abnormal, g)));
  }
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 2) throw std::runtime_error("expected FOLDER [SEEDS] [EPOCHS] [WINDOW]");
  const std::string folder = argv[1];
  const int seeds = argc > 2 ? std::atoi(argv[2]) : 3;
  const Index epochs = argc > 3 ? std::atoi(argv[3]) : 200;
  const Index window = argc > 4 ? std::atoi(argv[4]) : 0;
  const Sessions train = read(folder + "/hdfs_train.txt");
  const Sessions sample = read(folder + "/hdfs_normal_sample.txt");
  const Sessions abnormal = read(folder + "/hdfs_test_abnormal.txt");
  const Sessions calibration(sample.begin(), sample.begin() + calibration_sessions);
  const Sessions normal(sample.begin() + calibration_sessions, sample.end());

  Table table;
  const auto by_rule = [&](const std::string& name, const auto& rule) {
    table.add(name, judge(above(rule.score(normal), 0.0), above(rule.score(abnormal), 0.0)));
  };
  by_rule("unseen key", reprise::UnseenNgrams<int>(train, 1));
  by_rule("unseen pair", reprise::UnseenNgrams<int>(train, 2, {.start = false, .end = false}));
  by_rule("unseen pair, with start and end", reprise::UnseenNgrams<int>(train, 2));
  by_rule("unseen run of 6, with start and end", reprise::UnseenNgrams<int>(train, 6));
  by_rule("unseen counts", reprise::UnseenCounts<int>(train));
  const reprise::UnseenCounts<int> counts(train);
  const Flags unknown{above(counts.score(normal), 0.0), above(counts.score(abnormal), 0.0)};
  for (const Index n : {2, 3, 6}) {
    const reprise::NgramModel<int> model(train, n);
    judge_scores("n-grams of " + std::to_string(n) + ", ", model, {calibration, normal, abnormal}, unknown,
                 table);
  }
  for (int seed = 1; seed <= seeds; ++seed) {
    reprise::SymbolPredictor<float, int> model(reprise::Vocabulary<int>(train),
                                               {.layers = {{.units = 64}, {.units = 64}},
                                                .window = window,
                                                .seed = static_cast<std::uint64_t>(seed)});
    const auto start = std::chrono::steady_clock::now();
    const auto history = model.fit(train, {.epochs = epochs,
                                           .batch_size = 32,
                                           .optimizer = reprise::Adam{.learning_rate = 1e-3},
                                           .seed = static_cast<std::uint64_t>(seed)});
    std::printf("seed %d: %lld epochs in %.1f s, loss %.4f -> %.4f\n", seed, static_cast<long long>(epochs),
                seconds_since(start), history.loss.front(), history.loss.back());
    judge_scores("", model, {calibration, normal, abnormal}, unknown, table);
    std::fflush(stdout);
  }
  table.means();
} catch (const std::exception& error) {
  std::fprintf(stderr, "hdfs: %s\n", error.what());
  return 1;
}
