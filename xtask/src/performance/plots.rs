//! The plots of the page, as SVG.
//!
//! Invariant: made from rows alone: the same rows give the same bytes.

use serde_json::Value;

use plotters::{
    coord::{CoordTranslate, Shift, ranged1d::ValueFormatter},
    prelude::*,
};

use super::rows::{Measured, Row};

/// How a plot's axes run.
#[derive(Clone, Copy)]
enum Axes {
    /// Both by powers of ten.
    Powers,
    /// Both evenly, from nothing on.
    Even,
    /// Along evenly, up by powers of ten.
    PowersUp,
    /// Along by powers of ten, up evenly, from nothing on.
    PowersAlong,
}

const SIZE: (u32, u32) = (900, 480);
/// Room at the right for what the lines are of.
const LEGEND: u32 = 150;
const LEGEND_LINE: i32 = 22;
/// An engine keeps its colour in all plots; ours is the first.
const COLOURS: [RGBColor; 8] = [
    RGBColor(0xd1, 0x3b, 0x1e),
    RGBColor(0x1f, 0x5f, 0xa8),
    RGBColor(0x2f, 0x8f, 0x5b),
    RGBColor(0x8a, 0x5a, 0xb5),
    RGBColor(0xb5, 0x83, 0x1a),
    RGBColor(0x3a, 0x3a, 0x3a),
    RGBColor(0x20, 0x9a, 0xa8),
    RGBColor(0xa8, 0x4a, 0x78),
];

/// A line of a plot.
struct Line {
    name: String,
    points: Vec<(f64, f64)>,
}

/// Names and texts of all plots for which there are rows.
pub(super) fn all(measured: &Measured) -> Result<Vec<(String, String)>, String> {
    let plots = [
        (
            "writers.svg",
            plot("durable commits of one event", "threads", "commits/s", &writers(measured), Axes::Powers)?,
        ),
        (
            "latency.svg",
            plot(
                "a commit of one event, 64 threads",
                "1 of so many takes longer",
                "µs",
                &latency(measured),
                Axes::Powers,
            )?,
        ),
        (
            "churn.svg",
            plot("overwriting with three versions kept", "M events written", "events/s", &churn(measured), Axes::Even)?,
        ),
        (
            "size.svg",
            plot(
                "bytes on disk as the store grows",
                "versions",
                "bytes a version",
                &size(measured),
                Axes::PowersAlong,
            )?,
        ),
        ("haul.svg", plot("the long haul", "minutes", "µs", &haul(measured), Axes::PowersUp)?),
    ];
    Ok(plots.into_iter().filter_map(|(name, plot)| plot.map(|plot| (name.to_owned(), plot))).collect())
}

/// Commits a second against threads.
fn writers(measured: &Measured) -> Vec<Line> {
    let figures = measured.figures(&["commit::single/writers="]);
    let threads = |figure: &str| figure.rsplit('=').next().and_then(|number| number.parse().ok());
    let points = |engine: &str| {
        let row = |figure: &&str| Some((threads(figure)?, measured.row(figure, engine)?.median));
        figures.iter().filter_map(row).collect()
    };
    lines(measured, &figures, &points)
}

/// The percentiles of a commit's time, by how rare they are.
fn latency(measured: &Measured) -> Vec<Line> {
    let figures = ["commit::single_p99/writers=64"];
    let rare = |(percent, micros): &(f64, f64)| (*percent < 100.0).then(|| (100.0 / (100.0 - percent), *micros));
    let points = |engine: &str| {
        let curve = figures.iter().find_map(|figure| measured.row(figure, engine).map(|row: &Row| &row.curve));
        curve.map_or_else(Vec::new, |curve| curve.iter().filter_map(rare).collect())
    };
    lines(measured, &figures, &points)
}

/// Events a second as they are written.
fn churn(measured: &Measured) -> Vec<Line> {
    let figures = ["retention::churn/batch=200"];
    let points = |engine: &str| {
        let row = measured.row(figures[0], engine);
        row.map_or_else(Vec::new, |row| row.curve.iter().map(|(written, pace)| (written / 1e6, *pace)).collect())
    };
    lines(measured, &figures, &points)
}

/// Bytes of a version against versions.
fn size(measured: &Measured) -> Vec<Line> {
    let figures = measured.figures(&["scale::disk/versions="]);
    let versions = |figure: &str| match figure.rsplit('=').next() {
        Some("1m") => Some(1e6),
        Some("10m") => Some(1e7),
        Some("100m") => Some(1e8),
        _ => None,
    };
    let points = |engine: &str| {
        let row = |figure: &&str| Some((versions(figure)?, measured.row(figure, engine)?.median));
        figures.iter().filter_map(row).collect()
    };
    lines(measured, &figures, &points)
}

/// What a commit and a read took, and the disk's own sync, minute by minute.
fn haul(measured: &Measured) -> Vec<Line> {
    const LINES: [(&str, &str, &str); 5] = [
        ("p50 of a commit", "commit", "p50_us"),
        ("p99 of a commit", "commit", "p99_us"),
        ("p99.9 of a commit", "commit", "p999_us"),
        ("p99 of a read", "read", "p99_us"),
        ("p99.9 of a sync", "sync", "p999_us"),
    ];
    let line = |(name, of, quantile): (&str, &str, &str)| {
        let point = |minute: &Value| Some((minute["at_s"].as_f64()? / 60.0, minute[of][quantile].as_f64()?));
        Line { name: name.to_owned(), points: measured.minutes.iter().filter_map(point).collect() }
    };
    LINES.into_iter().map(line).filter(|line| !line.points.is_empty()).collect()
}

fn lines(measured: &Measured, figures: &[&str], points: &dyn Fn(&str) -> Vec<(f64, f64)>) -> Vec<Line> {
    let engines = measured.engines(figures).into_iter();
    let all = engines.map(|engine| Line { name: engine.to_owned(), points: points(engine) });
    all.filter(|line| !line.points.is_empty()).collect()
}

fn plot(title: &str, x: &str, y: &str, lines: &[Line], axes: Axes) -> Result<Option<String>, String> {
    let points = || lines.iter().flat_map(|line| line.points.iter().copied());
    let Some(first) = points().next() else { return Ok(None) };
    let (mut low, mut high) = (first, first);
    for (x, y) in points() {
        (low, high) = ((low.0.min(x), low.1.min(y)), (high.0.max(x), high.1.max(y)));
    }
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        root.fill(&WHITE).map_err(|error| error.to_string())?;
        let (root, legend) = root.split_horizontally(SIZE.0 - LEGEND);
        name_lines(&legend, lines)?;
        let mut chart = ChartBuilder::on(&root);
        chart.caption(title, ("sans-serif", 20)).margin(14).x_label_area_size(44).y_label_area_size(74);
        let (even, powers_x) = (0.0..high.0, low.0..high.0 * 1.05);
        let powers_y = low.1 * 0.8..high.1 * 1.4;
        match axes {
            Axes::Powers => {
                let built = chart.build_cartesian_2d(powers_x.log_scale(), powers_y.log_scale());
                draw(built.map_err(|error| error.to_string())?, x, y, lines)?;
            }
            Axes::Even => {
                let built = chart.build_cartesian_2d(even, 0.0..high.1 * 1.1);
                draw(built.map_err(|error| error.to_string())?, x, y, lines)?;
            }
            Axes::PowersAlong => {
                let built = chart.build_cartesian_2d(powers_x.log_scale(), 0.0..high.1 * 1.3);
                draw(built.map_err(|error| error.to_string())?, x, y, lines)?;
            }
            Axes::PowersUp => {
                let built = chart.build_cartesian_2d(even, powers_y.log_scale());
                draw(built.map_err(|error| error.to_string())?, x, y, lines)?;
            }
        }
        root.present().and_then(|()| legend.present()).map_err(|error| error.to_string())?;
    }
    Ok(Some(text))
}

fn draw<'a, X, Y>(
    mut chart: ChartContext<'a, SVGBackend<'a>, Cartesian2d<X, Y>>,
    x: &str,
    y: &str,
    lines: &[Line],
) -> Result<(), String>
where
    X: Ranged<ValueType = f64> + ValueFormatter<f64>,
    Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
    Cartesian2d<X, Y>: CoordTranslate<From = (f64, f64)>,
{
    let short = |value: &f64| match *value {
        value if value >= 1e6 => format!("{} M", value / 1e6),
        value if value >= 1e3 => format!("{} k", value / 1e3),
        value => format!("{value}"),
    };
    let mut mesh = chart.configure_mesh();
    mesh.x_desc(x).y_desc(y).x_label_formatter(&short).y_label_formatter(&short).light_line_style(WHITE);
    mesh.draw().map_err(|error| error.to_string())?;
    for (line, style) in lines.iter().zip(styles(lines)) {
        let drawn = LineSeries::new(line.points.iter().copied(), style).point_size(2);
        chart.draw_series(drawn).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// What each line is of, beside the plot.
fn name_lines(area: &DrawingArea<SVGBackend<'_>, Shift>, lines: &[Line]) -> Result<(), String> {
    let text = TextStyle::from(("sans-serif", 13)).color(&BLACK);
    for ((line, style), place) in lines.iter().zip(styles(lines)).zip(1..) {
        let y = 36 + place * LEGEND_LINE;
        let stroke = PathElement::new([(0, y), (18, y)], style);
        area.draw(&stroke).map_err(|error| error.to_string())?;
        area.draw(&Text::new(line.name.as_str(), (24, y - 6), text.clone())).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Ours is thick, a second way to use an engine has its colour and a thin line.
fn styles(lines: &[Line]) -> Vec<ShapeStyle> {
    let mut colours = Vec::<(&str, RGBColor)>::new();
    let mut styles = Vec::new();
    for line in lines {
        let base = line.name.split(',').next().unwrap_or_default();
        let known = colours.iter().find(|(name, _)| *name == base).map(|(_, colour)| *colour);
        let colour = known.unwrap_or_else(|| COLOURS[colours.len() % COLOURS.len()]);
        if known.is_none() {
            colours.push((base, colour));
        }
        let width = match (base == line.name, base) {
            (true, "milepost") => 4,
            (true, _) => 2,
            (false, _) => 1,
        };
        styles.push(colour.stroke_width(width));
    }
    styles
}
