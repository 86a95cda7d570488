<?php
// Answers with everything that PHP believes it received.

$raw = file_get_contents('php://input');
parse_str($raw, $parsed);

$files = [];
$collect = function (string $field, array $f) use (&$collect, &$files): void {
    if (is_array($f['name'])) {
        foreach ($f['name'] as $key => $_) {
            $collect("{$field}[{$key}]", array_map(fn ($column) => $column[$key] ?? null, $f));
        }
        return;
    }
    $content = $f['error'] === UPLOAD_ERR_OK ? file_get_contents($f['tmp_name']) : '';
    $files[] = ['field' => $field, 'filename' => $f['full_path'], 'type' => $f['type'], 'content' => base64_encode($content)];
};
foreach ($_FILES as $field => $f) {
    $collect($field, $f);
}

header('Content-Type: application/json');
echo json_encode([
    'method' => $_SERVER['REQUEST_METHOD'],
    'path' => strtok($_SERVER['REQUEST_URI'], '?'),
    'believed' => [
        'get' => $_GET,
        'post' => $_POST,
        'request' => $_REQUEST,
        'files' => $files,
        'json' => json_decode($raw, true, 1024),
        'input' => $parsed,
    ],
], JSON_INVALID_UTF8_SUBSTITUTE | JSON_PARTIAL_OUTPUT_ON_ERROR);
